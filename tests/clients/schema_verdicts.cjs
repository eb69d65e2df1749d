// schema_verdicts.cjs DRAFT: reads lines {"schema","instances"} and writes for each what Ajv says of the instances, as an array of
// booleans; or its words if it refuses the schema. DRAFT is draft-07 or 2020-12.
const Ajv = require(process.argv[2] === '2020-12' ? 'ajv/dist/2020' : 'ajv')
const addFormats = require('ajv-formats')
const readline = require('readline')

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { schema, instances } = JSON.parse(line)
  try {
    const ajv = new Ajv({ strict: false, logger: false, unicodeRegExp: true })
    addFormats(ajv)
    const validate = ajv.compile(schema)
    console.log(JSON.stringify(instances.map((instance) => validate(instance))))
  } catch (error) {
    console.log(JSON.stringify(error.message))
  }
})
