import TransferCommon

// One upload for each key at a time.

extension Agent {
    /// How many of the keys, counted from the first, have no upload under way.
    ///
    /// A second upload to a key begins when the first has ended, because the object of the first decides what the second
    /// may do.
    package func freeKeyCount(of keys: [String]) -> Int {
        let underWay = scheduler.uploads.values.map(\.request.key)
        // Swift compares texts by their characters, and keys are bytes. The set excludes most keys in one step.
        let alike = Set(underWay)
        return keys.prefix { key in
            !alike.contains(key) || !underWay.contains { $0.hasSameBytes(as: key) }
        }.count
    }
}
