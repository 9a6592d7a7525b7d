package import TransferCommon

/// Which parts of an upload are read next. Parts that were interrupted, that the store lacks, or that a gateway has
/// named come first, in the order in which they were added. The other parts follow in the order of their numbers.
///
/// A part may be in the queue more than once, and may be stored or under way before its turn comes. `next` skips parts
/// that are stored or under way.
package struct PartQueue: Hashable, Sendable {
    private var preferred: [PartNumber] = []
    /// The lowest number that has never been taken from the plan.
    private var nextFresh: UInt32 = 1

    package init() {}

    /// Number of added parts. They are read before the rest of the plan.
    package var preferredCount: Int { preferred.count }

    /// Adds parts that are read before all others.
    package mutating func putFirst(_ parts: [PartNumber]) { preferred = parts + preferred }

    /// Adds a part that is read after the other added parts, and before the rest of the plan.
    package mutating func putLast(_ part: PartNumber) { preferred.append(part) }

    /// From now on, `next` takes the parts of the plan from the beginning again.
    package mutating func restart() { nextFresh = 1 }

    /// Whether `next` may return a part, as far as is known. `isReading`: whether a part of the upload is being read.
    package func hasNext(in plan: PartPlan?, isReading: Bool) -> Bool {
        if !preferred.isEmpty { return true }
        guard let plan else { return false }
        guard let count = plan.partCount else { return !isReading }
        return nextFresh <= count
    }

    /// Takes the next part that is neither stored nor under way (`isTaken`). A stream is read in order, and only a
    /// finished read (`isReading`) shows whether more follows.
    package mutating func next(in plan: PartPlan, isReading: Bool, isTaken: (PartNumber) -> Bool) -> PartNumber? {
        while !preferred.isEmpty {
            let number = preferred.removeFirst()
            if !isTaken(number) { return number }
        }
        if plan.isStream, plan.fileBytes == nil {
            guard !isReading else { return nil }
            defer { nextFresh += 1 }
            return PartNumber(nextFresh)
        }
        while let number = PartNumber(nextFresh), let count = plan.partCount, nextFresh <= count {
            nextFresh += 1
            if !isTaken(number) { return number }
        }
        return nil
    }
}
