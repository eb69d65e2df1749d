// post_webhook.cjs URL SECRET: reads a body, signs it as any sender of Standard Webhooks does, and posts it; says the status.
const { Webhook } = require('standardwebhooks')

let body = ''
process.stdin.on('data', (piece) => { body += piece })
process.stdin.on('end', async () => {
  const [url, secret] = process.argv.slice(2)
  const now = new Date()
  const answer = await fetch(url, {
    method: 'POST',
    body,
    headers: {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign('msg_1', now, body),
    },
  })
  console.log(answer.status)
})
