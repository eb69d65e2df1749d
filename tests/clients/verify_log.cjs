// verify_log.cjs URL EVENT_ID LOG_VKEY [WITNESS_VKEY]: verifies a running log with nothing of ours: SHA-256 and Ed25519 of Node. Checks the
// signature of the checkpoint (and a cosignature), the proof of an event down to its bytes, the root over all tiles, and that
// the newest checkpoint continues an earlier one. Says "good", or throws.
const assert = require('node:assert')
const { createHash, createPublicKey, verify } = require('node:crypto')

const sha = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest()
const node = (left, right) => sha(Buffer.from([1]), left, right)
const bytes = (text) => Buffer.from(text, 'base64')

function parseKey (vkey) {
  const [name, id, ...rest] = vkey.split('+')
  const key = bytes(rest.join('+'))
  assert.strictEqual(key.length, 33)
  assert.strictEqual(sha(Buffer.from(name + '\n'), key).subarray(0, 4).toString('hex'), id)
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)])
  return { name, id, kind: key[0], key: createPublicKey({ key: spki, format: 'der', type: 'spki' }) }
}

// C2SP signed-note and tlog-cosignature.
function isSigned (note, signer) {
  const gap = note.lastIndexOf('\n\n')
  const text = note.slice(0, gap + 1)
  for (const line of note.slice(gap + 2).trimEnd().split('\n')) {
    const [dash, name, encoded] = line.split(' ')
    assert.strictEqual(dash, '\u2014')
    const signature = bytes(encoded)
    if (name !== signer.name || signature.subarray(0, 4).toString('hex') !== signer.id) continue
    if (signer.kind === 1) return verify(null, Buffer.from(text), signer.key, signature.subarray(4))
    assert.strictEqual(signer.kind, 4)
    const time = signature.readBigUInt64BE(4)
    return verify(null, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`), signer.key, signature.subarray(12))
  }
  return false
}

function readCheckpoint (note, log) {
  assert(isSigned(note, log), 'the log has not signed this checkpoint')
  const [origin, size, root] = note.split('\n')
  assert.strictEqual(origin, log.name)
  return { size: Number(size), root: bytes(root) }
}

// RFC 9162, 2.1.3.2.
function included (leaf, index, size, path, root) {
  let [fn, sn, r] = [index, size - 1, leaf]
  for (const p of path) {
    assert(sn > 0, 'the path is too long')
    if (fn % 2 === 1 || fn === sn) {
      r = node(p, r)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)]
    } else {
      r = node(r, p)
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)]
  }
  return sn === 0 && r.equals(root)
}

// RFC 9162, 2.1.4.2.
function continues (first, second, path, firstRoot, secondRoot) {
  if (first === second) return path.length === 0 && firstRoot.equals(secondRoot)
  if (Number.isInteger(Math.log2(first))) path = [firstRoot, ...path]
  let [fn, sn] = [first - 1, second - 1]
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)]
  let [fr, sr] = [path[0], path[0]]
  for (const c of path.slice(1)) {
    assert(sn > 0, 'the path is too long')
    if (fn % 2 === 1 || fn === sn) {
      [fr, sr] = [node(c, fr), node(c, sr)]
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)]
    } else {
      sr = node(sr, c)
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)]
  }
  return sn === 0 && fr.equals(firstRoot) && sr.equals(secondRoot)
}

function rootOf (hashes) {
  if (hashes.length === 1) return hashes[0]
  let k = 1
  while (2 * k < hashes.length) k *= 2
  return node(rootOf(hashes.slice(0, k)), rootOf(hashes.slice(k)))
}

async function main (url, eventId, logKey, witnessKey) {
  const get = async (path) => {
    const response = await fetch(url + path)
    assert.strictEqual(response.status, 200, path)
    return response
  }
  const log = parseKey(logKey)
  const note = await (await get('/log/checkpoint')).text()
  const newest = readCheckpoint(note, log)
  if (witnessKey) assert(isSigned(note, parseKey(witnessKey)), 'the witness has not signed this checkpoint')

  const proof = await (await get(`/v1/events/${eventId}/proof`)).json()
  const covering = readCheckpoint(proof.checkpoint, log)
  const digests = ['data', 'metadata', 'private'].map((name) => {
    const member = proof.leaf.members[name]
    if (!member) return Buffer.alloc(32)
    return member.digest ? bytes(member.digest) : sha(bytes(member.salt), bytes(member.bytes))
  })
  const preimage = bytes(proof.leaf.preimage)
  assert(preimage.subarray(-32).equals(sha(...digests)), 'the members are not those of the leaf')
  assert.strictEqual(Number(preimage.readBigUInt64LE(8)), proof.index)
  const leaf = sha(Buffer.from([0]), preimage)
  assert(included(leaf, proof.index, covering.size, proof.hashes.map(bytes), covering.root), 'the event is not in the tree')

  const hashes = []
  for (let tile = 0; tile * 256 < newest.size; ++tile) {
    const width = Math.min(256, newest.size - tile * 256)
    const name = String(tile).padStart(3, '0') + (width < 256 ? `.p/${width}` : '')
    const body = Buffer.from(await (await get(`/log/tile/0/${name}`)).arrayBuffer())
    assert.strictEqual(body.length, width * 32)
    for (let at = 0; at < body.length; at += 32) hashes.push(body.subarray(at, at + 32))
  }
  assert(rootOf(hashes).equals(newest.root), 'the tiles have another root')
  assert(hashes[proof.index].equals(leaf), 'the tiles have another leaf')

  for (const first of [1, 2, 3, newest.size - 1, newest.size]) {
    const between = await (await get(`/v1/audit/consistency?from=${first}&to=${newest.size}`)).json()
    assert(continues(first, newest.size, between.hashes.map(bytes), rootOf(hashes.slice(0, first)), newest.root))
  }
  console.log('good')
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error)
  process.exit(1)
})
