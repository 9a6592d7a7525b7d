package import TransferCommon

/// The settings of one folder.
package struct FolderRules: Hashable, Sendable {
    /// When a new or changed file may be sent.
    package enum Ready: Hashable, Sendable {
        /// Two looks `settle` apart find the same.
        case idle
        /// Another program has moved the file to its name.
        case rename
        /// A program has closed the file after writing.
        case closeWrite
        /// A file NAME.done stands beside it.
        case marker
    }

    /// Which file is sent first, within one priority.
    package enum Order: Hashable, Sendable {
        case oldest
        case newest
        case smallest
        case name
    }

    /// What happens to a file once it is proven.
    package enum After: Hashable, Sendable {
        case keep
        /// The file is deleted when it has been proven for `grace`.
        case delete(grace: Duration)
        /// The file is moved to another directory of the same file system when it has been proven for `grace`.
        case move(grace: Duration)
    }

    /// What happens if the key of a file holds an object with other content.
    package enum OnChange: Hashable, Sendable {
        /// Only the continuation of an object replaces it: the same inode, whose first bytes are the object.
        case keep
        /// The file replaces the object, except that of a file that the agent has deleted or moved.
        case replace
        /// The file is sent under the next free `NAME~2.EXT`.
        case newKey
    }

    /// What happens while the file system has less free space than `freeBytesMin`.
    package enum WhenFull: Hashable, Sendable {
        /// Nothing is deleted that would not be deleted anyway.
        case hold
        /// Proven files are deleted before their grace is over, the oldest proof first.
        case deleteProvenEarly
        /// Likewise; and if no proven file is left, unproven files are deleted, the oldest first. The journal lists
        /// them.
        case shed
    }

    /// Files whose name matches have this priority.
    package struct PriorityRule: Hashable, Sendable {
        package var pattern: NamePattern
        /// 0 to 9; files of a higher priority are sent first.
        package var priority: UInt8

        package init(_ pattern: NamePattern, priority: UInt8) {
            self.pattern = pattern
            self.priority = min(priority, 9)
        }
    }

    package var ready = Ready.idle
    /// The time between two looks at a file.
    package var settle = Duration.seconds(10)
    package var order = Order.oldest
    /// The priority of files that match no rule.
    package var priority: UInt8 = 5
    package var priorities: [PriorityRule] = []
    package var keys = KeyTemplate.relative
    package var after = After.keep
    package var onChange = OnChange.keep
    package var whenFull = WhenFull.hold
    package var freeBytesMin: UInt64 = 0
    /// How many failures for the file's own reason in a row put it into quarantine; at least 1.
    package var quarantineAfter: UInt8 = 5
    /// The shortest time between two scans.
    package var rescan = Duration.seconds(30)
    /// Whether the gateway is asked for the object before a file is deleted or moved.
    package var confirmsBeforeRemoval = true
    /// Whether the content is read again before a file is deleted or moved. Otherwise the stamp decides, where it
    /// counts (`recheck: stamp`).
    package var rechecksContent = true

    package init() {}

    /// The priority of a file.
    func priority(of path: ItemPath) -> UInt8 {
        priorities.first { $0.pattern.matches(path.name) }?.priority ?? min(priority, 9)
    }

    /// How long a proven file stays; `nil` if it is never deleted or moved by rule.
    var grace: Duration? {
        switch after {
        case .keep: nil
        case .delete(let grace), .move(let grace): grace
        }
    }
}

/// A pattern for the name of a file: `*` stands for any bytes, `?` for one byte.
package struct NamePattern: Hashable, Sendable {
    private let bytes: [UInt8]

    package init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    /// Whether the whole name matches. The time grows at most with the product of both lengths.
    package func matches(_ name: ArraySlice<UInt8>) -> Bool {
        var (at, position) = (0, name.startIndex)
        var star: (at: Int, position: Int)?
        while position < name.endIndex {
            if at < bytes.count, bytes[at] == UInt8(ascii: "*") {
                star = (at, position)
                at += 1
            } else if at < bytes.count, bytes[at] == UInt8(ascii: "?") || bytes[at] == name[position] {
                at += 1
                position += 1
            } else if let last = star {
                star = (last.at, last.position + 1)
                (at, position) = (last.at + 1, last.position + 1)
            } else {
                return false
            }
        }
        return bytes[at...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

/// The settings of the whole service.
package struct FolderLimits: Hashable, Sendable {
    /// How many files are sent at once.
    package var sendingMax = 8
    /// How many looks are under way at once.
    package var lookingMax = 16
    /// How many files are deleted or moved at once.
    package var removingMax = 4
    /// How many notifications wait at once. Beyond that a rescan replaces them.
    package var noticesMax = 1_000
    /// The size of the state database from which sending pauses; `nil` for none.
    package var stateBytesMax: UInt64?
    /// The part size for digests that are only compared with one another.
    package var partBytes: UInt64 = 8 << 20
    package var device = "device"
    package var retry = RetryPolicy()

    package init() {}
}
