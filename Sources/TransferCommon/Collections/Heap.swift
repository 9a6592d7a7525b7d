/// A priority queue that returns its least element first.
///
/// `@usableFromInline` lets the compiler specialise the heap in other rooms. Without it each call is generic, and each
/// element then costs memory of its own.
@usableFromInline
package struct Heap<Element: Comparable> {
    @usableFromInline var elements: [Element] = []

    @inlinable
    package init() {}

    @inlinable package var first: Element? { elements.first }
    @inlinable package var isEmpty: Bool { elements.isEmpty }
    @inlinable package var count: Int { elements.count }

    /// Adds an element. The time grows with the logarithm of the number of elements.
    @inlinable
    package mutating func push(_ element: Element) {
        elements.append(element)
        var index = elements.count - 1
        while index > 0, elements[index] < elements[(index - 1) / 2] {
            elements.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Removes the least element and returns it; `nil` if the queue is empty.
    @inlinable
    package mutating func popFirst() -> Element? {
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
