// verify_webhook.cjs SECRET: reads {"headers","body"} and verifies it as a receiver does; says "good", or why not.
const { Webhook } = require('standardwebhooks')

let input = ''
process.stdin.on('data', (piece) => { input += piece })
process.stdin.on('end', () => {
  const { headers, body } = JSON.parse(input)
  try {
    new Webhook(process.argv[2]).verify(body, headers)
    console.log('good')
  } catch (error) {
    console.log(error.message)
  }
})
