// A browser for the tests: a line of JSON in ({"code": …, "given": …}) is the body of an async function of (page, given,
// context, seen), a line out is what it returned or how it failed. `seen` has every request, message and violation so far.
import {createInterface} from 'node:readline';
import {createRequire} from 'node:module';
import {chromium} from 'playwright-core';

const settings = JSON.parse(process.argv[2]);
const browser = await chromium.launch({executablePath: settings.executable, args: ['--no-sandbox', '--disable-dev-shm-usage']});
const context = await browser.newContext(settings.context);
const page = await context.newPage();
const seen = {requests: [], messages: []};
globalThis.axeSource = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
page.setDefaultTimeout(settings.timeout);
context.on('request', (request) => seen.requests.push(request.url()));
page.on('console', (message) => seen.messages.push(`${message.type()}: ${message.text()}`));
page.on('pageerror', (error) => seen.messages.push(`pageerror: ${error.message}`));
await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) => console.error(`violation: ${event.violatedDirective} ${event.blockedURI}`)));
const Function = Object.getPrototypeOf(async () => {}).constructor;

console.log(JSON.stringify({ready: await browser.version()}));
for await (const line of createInterface({input: process.stdin})) {
  const {code, given} = JSON.parse(line);
  let answer;
  try {
    answer = {value: (await new Function('page', 'given', 'context', 'seen', code)(page, given, context, seen)) ?? null};
  } catch (error) {
    answer = {error: String(error.message || error)};
  }
  console.log(JSON.stringify(answer));
}
await browser.close();
