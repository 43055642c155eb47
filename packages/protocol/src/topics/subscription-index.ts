import { matches } from './filters.ts'

/** One level of the index. A filter that shares its beginning with no other ends in a leaf
 *  that keeps the rest of it as one string, so that a million filters cost a million nodes. */
class Node<S extends object> {
  children: Children<S> | undefined = undefined
  /** Levels below this one, unsplit; undefined when the node's own filter ends here or goes on in children. */
  rest: string | undefined = undefined
  here: S | Set<S> | undefined = undefined
}

/** What is below a node. The wildcards stand apart: every match asks for them, and a look into a large Map
 *  costs as much as all the rest (bench/routing). */
class Children<S extends object> {
  plus: Node<S> | undefined = undefined
  hash: Node<S> | undefined = undefined
  readonly named = new Map<string, Node<S>>()

  get empty(): boolean {
    return this.plus === undefined && this.hash === undefined && this.named.size === 0
  }

  get(level: string): Node<S> | undefined {
    return level === '+' ? this.plus : level === '#' ? this.hash : this.named.get(level)
  }

  set(level: string, node: Node<S>): void {
    if (level === '+') this.plus = node
    else if (level === '#') this.hash = node
    else this.named.set(level, node)
  }

  delete(level: string): void {
    if (level === '+') this.plus = undefined
    else if (level === '#') this.hash = undefined
    else this.named.delete(level)
  }
}

/** Topic Filters and who subscribed with them; finds all that match a Topic Name.
 *  Filters are taken as valid and not shared: validation and `$share` are the caller's.
 *  @see MQTT 5.0, 4.7 */
export class SubscriptionIndex<S extends object> {
  /** Grows with each change: what was matched under another number may be out of date. */
  generation = 0
  /** Subscriptions held. */
  size = 0
  private readonly root = new Node<S>()

  /** Adds one subscriber under a filter; the same one twice is once. */
  add(filter: string, subscriber: S): void {
    this.generation++
    let node = this.root
    let from = 0
    for (;;) {
      if (node.rest !== undefined) {
        if (node.rest === filter.slice(from)) break
        split(node)
      }
      const slash = filter.indexOf('/', from)
      const level = slash < 0 ? filter.slice(from) : filter.slice(from, slash)
      node.children ??= new Children()
      const child = node.children.get(level)
      if (child === undefined) {
        const leaf = new Node<S>()
        node.children.set(level, leaf)
        if (slash >= 0) leaf.rest = filter.slice(slash + 1)
        node = leaf
        break
      }
      node = child
      if (slash < 0) {
        if (node.rest !== undefined) split(node)
        break
      }
      from = slash + 1
    }
    if (put(node, subscriber)) this.size++
  }

  /** Takes a subscriber away; false when it was not there. */
  remove(filter: string, subscriber: S): boolean {
    const path: Node<S>[] = [this.root]
    const levels: string[] = []
    let node = this.root
    let from = 0
    while (from <= filter.length) {
      if (node.rest !== undefined) {
        if (node.rest !== filter.slice(from)) return false
        break
      }
      const slash = filter.indexOf('/', from)
      const level = slash < 0 ? filter.slice(from) : filter.slice(from, slash)
      const child = node.children?.get(level)
      if (child === undefined) return false
      levels.push(level)
      path.push(child)
      node = child
      if (slash < 0) {
        if (node.rest !== undefined) return false
        break
      }
      from = slash + 1
    }
    if (!take(node, subscriber)) return false
    this.generation++
    this.size--
    prune(path, levels)
    return true
  }

  /** Appends to `found` every subscriber whose filter matches, once for each of its filters. */
  match(topic: string, found: S[]): S[] {
    this.descend(this.root, topic, 0, found)
    return found
  }

  private descend(node: Node<S>, topic: string, from: number, found: S[]): void {
    const children = node.children
    if (children === undefined) return
    const slash = topic.indexOf('/', from)
    const level = slash < 0 ? topic.slice(from) : topic.slice(from, slash)
    const child = children.named.get(level)
    if (child !== undefined) this.visit(child, topic, slash, found)
    // Wildcards at the first level leave topics with $ alone [MQTT-4.7.2-1].
    if (from === 0 && topic.charCodeAt(0) === 0x24) return
    if (children.plus !== undefined) this.visit(children.plus, topic, slash, found)
    if (children.hash !== undefined) collect(children.hash.here, found)
  }

  private visit(node: Node<S>, topic: string, slash: number, found: S[]): void {
    if (slash < 0) {
      // `sport/#` matches `sport` as well.
      if (node.rest === undefined) {
        collect(node.here, found)
        const hash = node.children?.hash
        if (hash !== undefined) collect(hash.here, found)
      } else if (node.rest === '#') collect(node.here, found)
    } else if (node.rest === undefined) this.descend(node, topic, slash + 1, found)
    else if (matchesRest(node.rest, topic, slash + 1)) collect(node.here, found)
  }
}

/** Gives the levels a leaf kept as a string a node of their own. */
function split<S extends object>(node: Node<S>): void {
  const rest = node.rest!
  const slash = rest.indexOf('/')
  const child = new Node<S>()
  child.here = node.here
  if (slash >= 0) child.rest = rest.slice(slash + 1)
  node.rest = undefined
  node.here = undefined
  node.children = new Children()
  node.children.set(slash < 0 ? rest : rest.slice(0, slash), child)
}

/** Below the first level `$` is a character like any other, so an `x/` is put before both. */
function matchesRest(rest: string, topic: string, from: number): boolean {
  const first = rest.charCodeAt(0)
  if ((first === 0x23 || first === 0x2b) && topic.charCodeAt(from) === 0x24) {
    return matches(`x/${rest}`, `x/${topic.slice(from)}`)
  }
  return matches(rest, topic.slice(from))
}

function put<S extends object>(node: Node<S>, subscriber: S): boolean {
  const here = node.here
  if (here === undefined) node.here = subscriber
  else if (here instanceof Set) {
    if (here.has(subscriber)) return false
    here.add(subscriber)
  } else {
    if (here === subscriber) return false
    node.here = new Set([here, subscriber])
  }
  return true
}

function take<S extends object>(node: Node<S>, subscriber: S): boolean {
  const here = node.here
  if (here === subscriber) {
    node.here = undefined
    return true
  }
  if (!(here instanceof Set) || !here.delete(subscriber)) return false
  if (here.size === 1) node.here = here.values().next().value
  return true
}

function prune<S extends object>(path: Node<S>[], levels: string[]): void {
  for (let i = path.length - 1; i > 0; i--) {
    const node = path[i]!
    if (node.here !== undefined || node.children !== undefined) return
    const parent = path[i - 1]!
    parent.children!.delete(levels[i - 1]!)
    if (parent.children!.empty) parent.children = undefined
  }
}

function collect<S extends object>(here: S | Set<S> | undefined, found: S[]): void {
  if (here === undefined) return
  if (here instanceof Set) for (const subscriber of here) found.push(subscriber)
  else found.push(here)
}
