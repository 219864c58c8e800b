// What the programs of model SDKs share: the commands of the command line, and a line of JSON about each.
export const PROMPT = process.env.PROMPT ?? "the weather in Paris";
export const SYSTEM = process.env.SYSTEM ?? "Be brief and kind.";
export const CITY = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city"],
};

export const model = (otherwise) => process.env.MODEL ?? otherwise;

// Counts how often the events of a stream had to be waited for.
export class Arriving {
  pauses = 0;
  last = undefined;

  came() {
    const now = performance.now();
    if (now - this.last > 20) this.pauses += 1;
    this.last = now;
  }
}

// Calls the functions of the commands, each perhaps with a model: `chat@gpt-5`. `failed` tells status, code and message
// of the SDK's errors.
export async function run(commands, failed) {
  for (const argument of process.argv.slice(2)) {
    const [command, named] = argument.split("@");
    if (named) process.env.MODEL = named;
    let found;
    try {
      found = await commands[command]();
    } catch (error) {
      found = { error: error.constructor.name, ...failed(error) };
    }
    console.log(JSON.stringify(found));
  }
}
