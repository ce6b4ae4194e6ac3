import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** What is issued is asked for by this name in its files, and vouched for whatever it asks for. */
const SETTINGS = `
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
`;

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** The one whom it is for. */
  readonly host: string;
  /** As `openssl` writes it: `20200101000000Z`. */
  readonly from?: string;
  readonly to?: string;
}

/** Who vouches for servers, with a certificate of its own. Its files are in a temporary folder. */
export class CertificateAuthority implements AsyncDisposable {
  readonly #folder: string;
  #issued = 0;
  /** What those have to know who trust it. */
  readonly file: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.file = join(folder, "ca.pem");
  }

  static async create(): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(await mkdtemp(join(tmpdir(), "millrace-ca-")));
    const folder = authority.#folder;
    await Promise.all([
      writeFile(join(folder, "ca.conf"), SETTINGS),
      writeFile(join(folder, "index.txt"), ""),
    ]);
    const files = ["-keyout", "ca.key", "-out", "ca.pem"];
    await authority.#openssl("req", "-x509", ...KEY, "-subj", "/CN=Test authority", "-days", "2", ...files);
    return authority;
  }

  /** The text of `file`. */
  text(): Promise<string> {
    return readFile(this.file, "utf8");
  }

  async issue({ host, from, to }: CertificateRequest): Promise<Certificate> {
    const name = `issued-${++this.#issued}`;
    const names = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`];
    await this.#openssl("req", ...KEY, ...names, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    const dates =
      from === undefined || to === undefined ? ["-days", "2"] : ["-startdate", from, "-enddate", to];
    const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-cert", "ca.pem", "-keyfile", "ca.key"];
    await this.#openssl("ca", "-batch", "-notext", "-config", "ca.conf", ...dates, ...files);
    return { certificate: join(this.#folder, `${name}.pem`), key: join(this.#folder, `${name}.key`) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #openssl(...args: readonly string[]): Promise<void> {
    await execute("openssl", [...args], { cwd: this.#folder });
  }
}
