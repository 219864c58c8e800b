// What the programs of model SDKs share: the commands of the command line, and a line of JSON about each.
export const PROMPT = process.env.PROMPT ?? "the weather in Paris";
export const SYSTEM = process.env.SYSTEM ?? "Be brief and kind.";
export const CITY = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city"],
};

export const model = (otherwise) => process.env.MODEL ?? otherwise;

// Calls the functions of the commands; `failed` tells status, code and message of the SDK's errors.
export async function run(commands, failed) {
  for (const command of process.argv.slice(2)) {
    let found;
    try {
      found = await commands[command]();
    } catch (error) {
      found = { error: error.constructor.name, ...failed(error) };
    }
    console.log(JSON.stringify(found));
  }
}
