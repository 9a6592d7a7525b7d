package import TransferCommon

/// A virtual clock with its scheduled events. Events run one after another, in order of their time; events at the same
/// time run in the order in which they were scheduled.
package final class Schedule {
    private struct Entry {
        var at: Instant
        var number: UInt64
        var body: () -> Void

        func isBefore(_ other: Entry) -> Bool { (at, number) < (other.at, other.number) }
    }

    package private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private var heap: [Entry] = []
    private var lastNumber: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { heap.isEmpty }

    /// Runs all events that are due within this duration, including those that they schedule, and advances the clock by
    /// the duration.
    package func run(for duration: Duration) {
        var isOver = false
        after(duration) { isOver = true }
        while !isOver, step() {}
    }

    package func after(_ delay: Duration, _ body: @escaping () -> Void) {
        at(now + delay, body)
    }

    package func at(_ moment: Instant, _ body: @escaping () -> Void) {
        lastNumber += 1
        heap.append(Entry(at: max(moment, now), number: lastNumber, body: body))
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Runs the next event.
    ///
    /// - Returns: whether there was one.
    package func step() -> Bool {
        guard let first = heap.first else { return false }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var index = 0
        while true {
            let smallest = [2 * index + 1, 2 * index + 2].filter { $0 < heap.count }
                .min { heap[$0].isBefore(heap[$1]) }
            guard let smallest, heap[smallest].isBefore(heap[index]) else { break }
            heap.swapAt(index, smallest)
            index = smallest
        }
        now = first.at
        first.body()
        return true
    }
}
