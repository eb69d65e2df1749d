// octokit_verdicts.cjs: writes GitHub's schema of its webhook payloads, then for each example of a payload a line
// {"name","valid","payload"}, where `valid` is what Ajv says.
const Ajv = require('ajv')
const addFormats = require('ajv-formats')
const schema = require('@octokit/webhooks-schemas')
const examples = require('@octokit/webhooks-examples')

const ajv = new Ajv({ strict: false, logger: false })
addFormats(ajv)
const validate = ajv.compile(schema)
const lines = [JSON.stringify(schema)]
for (const { name, examples: payloads } of examples) {
  for (const payload of payloads) lines.push(JSON.stringify({ name, valid: validate(payload), payload }))
}
process.stdout.write(lines.join('\n') + '\n')
