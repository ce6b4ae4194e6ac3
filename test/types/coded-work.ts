import { protobufCodec } from "millrace/protobuf";
import { withCodec } from "millrace/worker";
import { Parcel } from "../fixtures/parcel.js";

/** What a thread runs: the codec says what it is given. */
export default withCodec(protobufCodec(Parcel), async ({ to, weight }, { signal }) => {
  signal.throwIfAborted();
  return { to, heavy: weight > 10 };
});
