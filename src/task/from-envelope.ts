export function fromEnvelope(envelope: unknown, _origin?: string): unknown {
  const e = (envelope as any).error;
  const r = new Error(e?.message ?? String(e));
  r.name = e?.name ?? "Error";
  return r;
}
