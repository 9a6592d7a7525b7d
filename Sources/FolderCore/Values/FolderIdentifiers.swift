/// A watched folder: its position among the folders of the settings.
package struct FolderID: Hashable, Comparable, Sendable {
    package let number: UInt32

    package init(_ number: UInt32) {
        self.number = number
    }

    package static func < (left: FolderID, right: FolderID) -> Bool { left.number < right.number }
}

/// Names an item as long as the journal has its record, across restarts. The place in the table of items is used again
/// for a later item, with another generation.
package struct ItemID: Hashable, Sendable {
    package let place: UInt32
    package let generation: UInt32

    package init(place: UInt32, generation: UInt32) {
        self.place = place
        self.generation = generation
    }
}

/// Pairs an action with the event that answers it. No number is used twice in one run.
package struct RequestID: Hashable, Sendable {
    package let number: UInt64

    package init(_ number: UInt64) {
        self.number = number
    }
}

/// The number of a transaction of the journal, from 1 in each run.
package typealias TransactionNumber = UInt64
