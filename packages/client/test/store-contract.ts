import type { Store } from '../src/store/store.ts'

/** What every store keeps to, as checks that run in Node and in a page: each throws where it does not hold.
 *  @param again opens the same store once more; it is empty at first */
export const STORE_CONTRACT: Readonly<Record<string, (again: () => Store) => Promise<void>>> = {
  async 'gives back what was put, and not what was deleted'(again) {
    const store = again()
    equal([...(await store.open())], [])
    store.put('kept', Uint8Array.of(1, 2, 3))
    store.put('replaced', Uint8Array.of(1))
    store.put('replaced', Uint8Array.of(2))
    store.put('deleted', Uint8Array.of(9))
    await store.commit()
    store.delete('deleted')
    store.delete('never there')
    store.put('empty', new Uint8Array(0))
    await store.close()
    const reopened = again()
    const records = await reopened.open()
    equal([...records.keys()].sort(), ['empty', 'kept', 'replaced'])
    equal([...(records.get('kept') ?? [])], [1, 2, 3])
    equal([...(records.get('replaced') ?? [])], [2])
    equal(records.get('empty')?.length, 0)
    await reopened.close()
  },

  async 'commits what was changed while an earlier commit was on its way'(again) {
    const store = again()
    await store.open()
    const commits: Promise<void>[] = []
    for (let i = 0; i < 50; i++) {
      store.put(`key ${i}`, Uint8Array.of(i))
      commits.push(store.commit())
    }
    await Promise.all(commits)
    await store.close()
    const reopened = again()
    const records = await reopened.open()
    equal(records.size, 50)
    for (let i = 0; i < 50; i++) equal([...(records.get(`key ${i}`) ?? [])], [i])
    await reopened.close()
  },

  async 'has a commit cover every change made before it'(again) {
    const store = again()
    await store.open()
    store.put('first', Uint8Array.of(1))
    const first = store.commit()
    store.put('first', Uint8Array.of(2))
    store.put('second', Uint8Array.of(3))
    await store.commit()
    await first
    await store.close()
    const reopened = again()
    const records = await reopened.open()
    equal([...(records.get('first') ?? [])], [2])
    equal([...(records.get('second') ?? [])], [3])
    await reopened.close()
  },
}

function equal(actual: unknown, expected: unknown): void {
  const [is, wanted] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (is !== wanted) throw new Error(`${is} instead of ${wanted}`)
}
