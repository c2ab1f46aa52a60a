// The npm `openai` client against BASE_URL: a whole answer and a stream. Prints one JSON line for the test.
// The package is looked for in NPM_MODULES (build/npm/node_modules), beside nothing of this folder.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.env.NPM_MODULES, "x.js"));
const { default: OpenAI } = await import(pathToFileURL(require.resolve("openai")).href);

const client = new OpenAI({
  baseURL: process.env.BASE_URL,
  apiKey: "sk-test",
  maxRetries: 0,
  timeout: 20_000,
  defaultHeaders: { "X-User-Id": process.env.USER_ID ?? "user-1" },
});
const question = {
  model: process.env.MODEL ?? "demo",
  messages: [{ role: "user", content: "Say hello." }],
};

const { data: whole, response } = await client.chat.completions.create(question).withResponse();

const { data: stream, response: streamResponse } = await client.chat.completions
  .create({ ...question, stream: true, stream_options: { include_usage: true } })
  .withResponse();
let text = "";
let chunks = 0;
let finish = null;
let usage = null;
for await (const chunk of stream) {
  chunks += 1;
  text += chunk.choices[0]?.delta?.content ?? "";
  finish = chunk.choices[0]?.finish_reason ?? finish;
  usage = chunk.usage ?? usage;
}

let refused = null;
try {
  await client.chat.completions.create({ ...question, messages: "not a list" });
} catch (error) {
  refused = error.status ?? String(error);
}

console.log(
  JSON.stringify({
    whole: {
      text: whole.choices[0].message.content,
      finish: whole.choices[0].finish_reason,
      usage: whole.usage,
      model: whole.model,
      variant: response.headers.get("x-sluice-variant"),
      id: response.headers.get("x-request-id"),
    },
    stream: { text, chunks, finish, usage, variant: streamResponse.headers.get("x-sluice-variant") },
    refused,
  }),
);
