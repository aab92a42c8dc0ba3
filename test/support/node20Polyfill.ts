/**
 * Three functions that vitest 5 calls and Node 20 lacks: without them the
 * reporter crashes on the first failing test and hides its message.
 */
const append = <K, T>(put: (key: K, item: T) => void, items: Iterable<T>, key: (item: T, index: number) => K): void => {
  let index = 0
  for (const item of items) put(key(item, index++), item)
}

type AnyFunction = (...args: Array<never>) => unknown
const define = (target: object, name: string, value: AnyFunction): void => {
  if (!(name in target)) Object.defineProperty(target, name, { value, configurable: true, writable: true })
}

define(Map, "groupBy", <K, T>(items: Iterable<T>, key: (item: T, index: number) => K) => {
  const groups = new Map<K, Array<T>>()
  append(
    (name: K, item: T) => {
      const group = groups.get(name)
      if (group === undefined) groups.set(name, [item])
      else group.push(item)
    },
    items,
    key
  )
  return groups
})

define(Object, "groupBy", <T>(items: Iterable<T>, key: (item: T, index: number) => PropertyKey) => {
  const groups: Record<PropertyKey, Array<T>> = Object.create(null)
  append((name: PropertyKey, item: T) => (groups[name] ??= []).push(item), items, key)
  return groups
})

define(Promise, "withResolvers", function<T>(this: PromiseConstructor) {
  let resolve!: (value: T | PromiseLike<T>) => void
  let reject!: (reason: unknown) => void
  const promise = new this<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
})
