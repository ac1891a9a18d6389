import * as z from "zod";

/** An endpoint with the fields of a DNS SRV record. */
interface WrittenEndpoint {
  readonly endpoint: string;
  readonly priority?: number | undefined;
  readonly weight?: number | undefined;
}

/** The content of an endpoints file: a list, or an object with a list, which can be extended. */
export type EndpointsContent =
  | (string | WrittenEndpoint)[]
  | {
      readonly $schema?: string | undefined;
      readonly endpoints: (string | WrittenEndpoint)[];
    };

const share = (meaning: string): z.ZodOptional<z.ZodInt> =>
  z.int().min(0).max(65_535).optional().describe(`${meaning}, as in DNS SRV records (RFC 2782). Default 0.`);

const text: z.ZodString = z
  .string()
  .min(1)
  .describe("host, host:port, [IPv6]:port or an http(s) URL. The port is 2379 where none is given.");

const entry: z.ZodType<WrittenEndpoint> = z.strictObject({
  endpoint: text,
  priority: share("A lower number is tried first"),
  weight: share("The share among endpoints of one priority"),
});

const list: z.ZodType<(string | WrittenEndpoint)[]> = z
  .array(z.union([text, entry]))
  .min(1)
  .describe("Each endpoint once.");

/** Validates the content; the published schema is generated from it. */
export const endpointsSchema: z.ZodType<EndpointsContent> = z
  .union([list, z.strictObject({ $schema: z.string().optional(), endpoints: list })])
  .meta({
    title: "Endpoints of gw",
    description: "The endpoints that gw forwards to, in JSON or YAML.",
    examples: [
      ["infra0.example.com:2379", "https://infra1.example.com"],
      {
        endpoints: [
          { endpoint: "10.0.1.10", priority: 0, weight: 10 },
          { endpoint: "10.0.2.10", priority: 1 },
        ],
      },
    ],
  });

/** The schema that is published as `@gw/discovery/endpoints.schema.json`. */
export function jsonSchema(): object {
  return z.toJSONSchema(endpointsSchema, { target: "draft-2020-12" });
}
