export { type ProtobufType, protobufCodec } from "./protobuf-codec.js";
