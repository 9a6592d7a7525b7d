import FolderCore
import Testing
import TransferCommon

/// After a restart, a file that was being removed gets its name back, also if its proof no longer counts.
@Suite struct RecoveryTests {
    private static let aside = ItemPath("b").aside(9)

    private static func record(
        _ place: UInt32, _ path: String, key: String,
        _ stored: (ItemProof) -> StoredState = { .held($0, since: .zero) },
        course: ItemRecord.Course = .usual
    ) throws -> ItemRecord {
        let stamp = FolderDriver.stamp(UInt64(place) + 1)
        let key = try FolderDriver.key(key)
        let proof = ItemProof(
            store: FolderDriver.store, key: key, session: SessionID(high: 0, low: 1), stamp: stamp, partBytes: 8,
            root: FolderDriver.digest(1))
        return ItemRecord(
            id: ItemID(place: place, generation: place + 1), folder: FolderDriver.folder, path: ItemPath(path),
            stamp: stamp, head: .none, key: key, stored: stored(proof), course: course)
    }

    /// Answers the steps with which a file gets its name back.
    private static func putBack(_ driver: inout FolderDriver) throws {
        #expect(try driver.answer(.both(own: nil, aside: true)) == .findBoth(ItemPath("b"), aside, inode: 2))
        #expect(try driver.answer(.done) == .putBack(aside, to: ItemPath("b")))
        #expect(try driver.answer(.done) == .syncDirectory(ItemPath("b")))
    }

    @Test func fileWithoutProofGetsItsNameBackAndSettles() throws {
        let record = try Self.record(1, "b", key: "b", { .withdrawn($0) }, course: .removing(aside: Self.aside))
        var driver = FolderDriver(restoring: [record])
        try Self.putBack(&driver)
        #expect(try driver.state(2) == .settling)
        let kept = try #require(driver.records[record.id])
        #expect(kept.course == .usual)
        #expect(kept.stored.proof == nil)
    }

    /// The key of a parked record may belong to another item when the record comes back. The item then has no record of
    /// its own to write, and must not wait for one.
    @Test func fileWhoseKeyIsAnotherItemsGetsItsNameBackAndSettles() throws {
        let owner = try Self.record(0, "a", key: "k")
        let record = try Self.record(1, "b", key: "k", { .withdrawn($0) }, course: .removing(aside: Self.aside))
        var driver = FolderDriver(restoring: [owner, record])
        try Self.putBack(&driver)
        #expect(try driver.state(2) == .settling)
        #expect(try driver.state(1) == .proven)
    }
}
