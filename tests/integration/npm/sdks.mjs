// The npm clients of OpenAI and Anthropic against BASE_URL, each through what it is used for. Prints one JSON object for the
// test: what each call gave, or the error that it threw.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.env.NPM_MODULES, "x.js"));
const load = async (name) => (await import(pathToFileURL(require.resolve(name)).href)).default;
const OpenAI = await load("openai");
const Anthropic = await load("@anthropic-ai/sdk");

const common = { apiKey: "sk-test", maxRetries: 0, timeout: 20_000, defaultHeaders: { "X-User-Id": "user-1" } };
const openai = new OpenAI({ ...common, baseURL: `${process.env.BASE_URL}/v1` });
const anthropic = new Anthropic({ ...common, baseURL: process.env.BASE_URL });
const messages = [{ role: "user", content: "hello" }];
const results = {};

async function step(name, run) {
  try {
    results[name] = await run();
  } catch (error) {
    results[name] = { error: error.constructor.name, status: error.status ?? null, message: String(error.message) };
  }
}

await step("chat", async () => {
  const answer = await openai.chat.completions.create({ model: "chat", messages });
  return { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason, usage: answer.usage };
});

await step("stream", async () => {
  let text = "";
  let usage = null;
  for await (const part of await openai.chat.completions.create({ model: "stream", messages, stream: true })) {
    text += part.choices[0]?.delta?.content ?? "";
    usage = part.usage ?? usage;
  }
  return { text, usage };
});

await step("tools", async () => {
  const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];
  const stream = openai.chat.completions.stream({ model: "tools", messages, tools });
  const answer = await stream.finalChatCompletion();
  const call = answer.choices[0].message.tool_calls[0];
  return { name: call.function.name, arguments: call.function.arguments, finish: answer.choices[0].finish_reason };
});

await step("embeddings", async () => {
  const answer = await openai.embeddings.create({ model: "embed", input: ["a", "b"], encoding_format: "float" });
  return { vectors: answer.data.map((item) => item.embedding), usage: answer.usage };
});

await step("responses", async () => {
  const stream = await openai.responses.create({ model: "responses", input: "hello", stream: true });
  let text = "";
  let usage = null;
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") text += event.delta;
    if (event.type === "response.completed") usage = event.response.usage;
  }
  return { text, usage };
});

await step("aborted", async () => {
  const stream = await openai.chat.completions.create({ model: "endless", messages, stream: true });
  let parts = 0;
  for await (const part of stream) {
    parts += part.choices.length;
    if (parts >= 3) {
      stream.controller.abort();
      break;
    }
  }
  return { parts };
});

await step("error_event", async () => {
  let text = "";
  for await (const part of await openai.chat.completions.create({ model: "breaks", messages, stream: true }))
    text += part.choices[0]?.delta?.content ?? "";
  return { text };
});

await step("refused", async () => openai.chat.completions.create({ model: "refused", messages }));

await step("message", async () => {
  const answer = await anthropic.messages.create({ model: "claude", max_tokens: 9, messages });
  return { text: answer.content[0].text, stop: answer.stop_reason, usage: answer.usage };
});

await step("message_stream", async () => {
  let text = "";
  const stream = anthropic.messages.stream({ model: "claude-stream", max_tokens: 9, messages }).on("text", (part) => {
    text += part;
  });
  const answer = await stream.finalMessage();
  return { text, stop: answer.stop_reason, usage: answer.usage };
});

await step("message_aborted", async () => {
  const stream = anthropic.messages.stream({ model: "claude-endless", max_tokens: 9, messages });
  let parts = 0;
  for await (const event of stream) {
    parts += event.type === "content_block_delta";
    if (parts >= 3) {
      stream.abort();
      break;
    }
  }
  return { parts };
});

await step("message_overloaded", async () =>
  anthropic.messages.stream({ model: "claude-overloaded", max_tokens: 9, messages }).finalMessage(),
);

console.log(JSON.stringify(results));
process.exit(0);
