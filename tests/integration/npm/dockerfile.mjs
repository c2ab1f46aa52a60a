// What a Dockerfile (the argument) says, and what is wrong with it, as JSON: {problems: [text], instructions: [{keyword,
// flags: {name: value}, text}]}; `text` has the variables as they stand.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const load = createRequire(process.env.NPM_MODULES + '/');
const {validate} = load('dockerfile-utils');
const {DockerfileParser} = load('dockerfile-ast');

const text = readFileSync(process.argv[2], 'utf8');
const problems = validate(text).map(({range, message}) => `line ${range.start.line + 1}: ${message}`);
const instructions = DockerfileParser.parse(text).getInstructions().map((one) => ({
  keyword: one.getKeyword(),
  flags: Object.fromEntries((one.getFlags?.() ?? []).map((flag) => [flag.getName(), flag.getValue()])),
  text: one.getArgumentsContent() ?? '',
}));
console.log(JSON.stringify({problems, instructions}));
