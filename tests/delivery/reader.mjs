// An independent reader of Content Credentials: state and failures of a file under the CAs given.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [folder, anchors, ...files] = process.argv.slice(2)
const find = createRequire(folder + '/').resolve
const c2pa = await import(pathToFileURL(find('@contentauth/c2pa-wasm')))
c2pa.initSync({ module: readFileSync(find('@contentauth/c2pa-wasm/c2pa.wasm')) })
const settings = JSON.stringify({ trust: { user_anchors: readFileSync(anchors, 'utf8') } })
const found = []
for (const file of files) {
  const store = JSON.parse((await c2pa.WasmReader.fromBytes('video/mp4', new Uint8Array(readFileSync(file)), settings)).json())
  found.push({ state: store.validation_state, failures: store.validation_results.activeManifest.failure.map((one) => one.code) })
}
console.log(JSON.stringify(found))
