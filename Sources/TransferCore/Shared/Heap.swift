/// A priority queue that returns its least element first.
///
/// TransferCore has a heap of its own. The compiler does not specialise the heap of TransferCommon here, and each file
/// then costs 20 more calls for memory at the agent and 60 at the gateway.
struct Heap<Element: Comparable> {
    private var elements: [Element] = []

    var first: Element? { elements.first }
    var isEmpty: Bool { elements.isEmpty }
    var count: Int { elements.count }

    mutating func push(_ element: Element) {
        elements.append(element)
        var index = elements.count - 1
        while index > 0, elements[index] < elements[(index - 1) / 2] {
            elements.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func popFirst() -> Element? {
        guard let first = elements.first else { return nil }
        elements.swapAt(0, elements.count - 1)
        elements.removeLast()
        var index = 0
        while true {
            var least = index
            let child = 2 * index + 1
            if child < elements.count, elements[child] < elements[least] { least = child }
            if child + 1 < elements.count, elements[child + 1] < elements[least] { least = child + 1 }
            guard least != index else { return first }
            elements.swapAt(index, least)
            index = least
        }
    }
}

extension Heap: Sendable where Element: Sendable {}

extension Heap: Equatable where Element: Equatable {}

extension Heap: Hashable where Element: Hashable {}
