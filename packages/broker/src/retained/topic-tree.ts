/** One level of the tree of Topic Names. */
class Node<V> {
  readonly level: string
  children: Map<string, Node<V>> | undefined = undefined
  value: V | undefined = undefined

  constructor(level: string) {
    this.level = level
  }
}

/** Values by Topic Name, found by Topic Filter.
 *  @see MQTT 5.0, 4.7 */
export class TopicTree<V> {
  size = 0
  private readonly root = new Node<V>('')

  get(topic: string): V | undefined {
    let node: Node<V> | undefined = this.root
    for (const level of topic.split('/')) {
      node = node.children?.get(level)
      if (node === undefined) return undefined
    }
    return node.value
  }

  /** Sets a topic's value and gives the one before. */
  set(topic: string, value: V): V | undefined {
    let node = this.root
    for (const level of topic.split('/')) {
      node.children ??= new Map()
      let child = node.children.get(level)
      if (child === undefined) node.children.set(level, (child = new Node(level)))
      node = child
    }
    const before = node.value
    node.value = value
    if (before === undefined) this.size++
    return before
  }

  /** Takes a topic's value away and gives it. */
  delete(topic: string): V | undefined {
    const path = [this.root]
    for (const level of topic.split('/')) {
      const child = path[path.length - 1]!.children?.get(level)
      if (child === undefined) return undefined
      path.push(child)
    }
    const node = path[path.length - 1]!
    const before = node.value
    if (before === undefined) return undefined
    node.value = undefined
    this.size--
    for (
      let i = path.length - 1;
      i > 0 && path[i]!.value === undefined && path[i]!.children === undefined;
      i--
    ) {
      const parent = path[i - 1]!
      parent.children!.delete(path[i]!.level)
      if (parent.children!.size === 0) parent.children = undefined
    }
    return before
  }

  /** All values whose topic matches, one at a time: the tree may change in between. */
  match(filter: string): Generator<V, void, undefined> {
    return descend(this.root, filter.split('/'), 0)
  }
}

function* descend<V>(node: Node<V>, levels: readonly string[], depth: number): Generator<V, void, undefined> {
  if (depth === levels.length) {
    if (node.value !== undefined) yield node.value
    return
  }
  const level = levels[depth]!
  if (level === '#') {
    // `sport/#` matches `sport` as well, but `#` alone not the root.
    if (depth > 0 && node.value !== undefined) yield node.value
    yield* below(node, depth)
  } else if (level === '+') {
    for (const child of childrenOf(node, depth)) yield* descend(child, levels, depth + 1)
  } else {
    const child = node.children?.get(level)
    if (child !== undefined) yield* descend(child, levels, depth + 1)
  }
}

function* below<V>(node: Node<V>, depth: number): Generator<V, void, undefined> {
  for (const child of childrenOf(node, depth)) {
    if (child.value !== undefined) yield child.value
    if (child.children !== undefined) yield* below(child, depth + 1)
  }
}

/** Wildcards at the first level leave topics with $ alone [MQTT-4.7.2-1]. */
function* childrenOf<V>(node: Node<V>, depth: number): Generator<Node<V>, void, undefined> {
  if (node.children === undefined) return
  for (const child of node.children.values()) {
    if (depth > 0 || child.level.charCodeAt(0) !== 0x24) yield child
  }
}
