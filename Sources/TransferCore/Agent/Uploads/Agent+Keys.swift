import TransferCommon

// One upload for each key at a time.

extension Agent {
    /// The number of keys before the first one that has an upload under way. A second upload to a key waits, because
    /// the object that the first one makes decides what the second may do.
    package func freeKeyCount(of keys: [String]) -> Int {
        let underWay = scheduler.uploads.values.map(\.request.key)
        // Swift compares texts by characters, but two keys are equal only if their bytes are. Keys with equal bytes are
        // also equal as texts, so only a key that is in the set needs a comparison of bytes.
        let alike = Set(underWay)
        return keys.prefix { key in
            !alike.contains(key) || !underWay.contains { $0.hasSameBytes(as: key) }
        }.count
    }
}
