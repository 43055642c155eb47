import { connect } from '@pipit/client'

const calculator = await connect('mqtt://127.0.0.1:1883')
await calculator.respond('calculator/add', (request) => {
  const [a, b] = request.text().split(' ').map(Number)
  return a === undefined || b === undefined ? 'two numbers, please' : String(a + b)
})

const client = await connect('mqtt://127.0.0.1:1883')
const sums = await Promise.all(
  ['2 3', '40 2'].map((numbers) => client.request('calculator/add', numbers, { timeoutMs: 5000 })),
)
console.log(sums.map((sum) => sum.text()).join(', '))

await client.close()
await calculator.close()
