import FolderCore
import Foundation
import GRDB
import TransferCommon

/// One row of the tables `items` and `parked`: the record of an item as columns, and back.
enum ItemRow {
    /// The columns after the place, in the order of `arguments`.
    static let columns = """
        generation, folder, boot, path, stamp, head_bytes, head, key, key_number, course, detail, stored, since, store,
        proof_key, session, proof_stamp, stamp_counts, part_bytes, root, etag, version
        """

    /// The numbers in the column `stored`.
    enum Stored {
        static let none: Int64 = 0
        static let withdrawn: Int64 = 1
        static let held: Int64 = 2
    }

    /// The numbers in the column `course`. The column `detail` has the aside path or the reason.
    enum Course {
        static let usual: Int64 = 0
        static let removing: Int64 = 1
        static let quarantined: Int64 = 2
    }

    // MARK: Writing

    /// Writes a record into one of the tables, in place of an earlier one with this place.
    ///
    /// - Parameters:
    ///   - place: the first column; `nil` for any number that is free.
    ///   - folder: the folder's number in the journal.
    static func put(
        _ record: ItemRecord, into table: Table, at place: Int64?, folder: Int64, boot: Int64, _ database: Database
    ) throws {
        let values: StatementArguments = [place]
        try database.cachedStatement(sql: table.insertion)
            .execute(arguments: values + arguments(record, folder: folder, boot: boot))
    }

    /// The tables with records.
    enum Table: String {
        case items
        case parked

        fileprivate var insertion: String {
            switch self {
            case .items: Self.itemsInsertion
            case .parked: Self.parkedInsertion
            }
        }

        /// The name of the first column.
        var place: String {
            switch self {
            case .items: "place"
            case .parked: "number"
            }
        }

        private static let itemsInsertion = makeInsertion(.items)
        private static let parkedInsertion = makeInsertion(.parked)

        private static func makeInsertion(_ table: Table) -> String {
            let marks = Array(repeating: "?", count: 23).joined(separator: ", ")
            return "INSERT OR REPLACE INTO \(table.rawValue) (\(table.place), \(columns)) VALUES (\(marks))"
        }
    }

    /// The values of `columns`.
    private static func arguments(_ record: ItemRecord, folder: Int64, boot: Int64) -> StatementArguments {
        let course: (number: Int64, detail: [UInt8]) =
            switch record.course {
            case .usual: (Course.usual, [])
            case .removing(let aside): (Course.removing, aside.bytes)
            case .quarantined(let reason): (Course.quarantined, Array(reason.utf8))
            }
        let values: StatementArguments = [
            Int64(record.id.generation), folder, boot, Data(record.path.bytes), data(record.stamp),
            Int64(record.head.byteCount), Int64(bitPattern: record.head.hash), Data(record.key.bytes),
            Int64(record.keyNumber), course.number, Data(course.detail),
        ]
        switch record.stored {
        case .none: return values + [Stored.none] + StatementArguments(Array(repeating: nil as Int64?, count: 10))
        case .withdrawn(let proof): return values + arguments(proof, Stored.withdrawn, since: nil, of: record)
        case .held(let proof, let since):
            return values + arguments(proof, Stored.held, since: since.nanosecondsClamped, of: record)
        }
    }

    private static func arguments(
        _ proof: ItemProof, _ stored: Int64, since: Int64?, of record: ItemRecord
    ) -> StatementArguments {
        [
            stored, since, Data(proof.store.bytes), proof.key.bytes == record.key.bytes ? nil : Data(proof.key.bytes),
            Data(proof.session.bytes), proof.stamp == record.stamp ? nil : data(proof.stamp), proof.stampCounts,
            Int64(bitPattern: proof.partBytes), Data(proof.root.bytes), proof.etag, proof.version,
        ]
    }

    /// The numbers of a stamp, most significant byte first.
    private static func data(_ stamp: FileStamp) -> Data {
        var data = Data(capacity: stampByteCount)
        func append(_ number: some FixedWidthInteger) {
            withUnsafeBytes(of: number.bigEndian) { data.append(contentsOf: $0) }
        }
        for number in [stamp.device, stamp.inode, stamp.size] { append(number) }
        for time in [stamp.modification, stamp.change] {
            append(time.seconds)
            append(time.nanoseconds)
        }
        return data
    }

    private static let stampByteCount = 48

    // MARK: Reading

    /// The record in a row of `SELECT place, boot, folder, columns`; `nil` if a value is not valid. The file is then
    /// found like a new one.
    static func record(_ row: Row, folder: FolderID) throws -> ItemRecord? {
        var reader = ColumnReader(row: row, index: 3)
        guard let place = UInt32(exactly: try row.decode(Int64.self, atIndex: 0)), place < .max,
            let generation = UInt32(exactly: try reader.number())
        else { return nil }
        reader.index += 2
        let path = ItemPath(try reader.bytes())
        guard !path.bytes.isEmpty, let stamp = stamp(try reader.bytes()),
            let headBytes = UInt16(exactly: try reader.number()), headBytes <= FileHead.byteCountMax
        else { return nil }
        let head = FileHead(byteCount: headBytes, hash: UInt64(bitPattern: try reader.number()))
        guard let key = key(try reader.bytes()), let keyNumber = UInt32(exactly: try reader.number()),
            let course = course(try reader.number(), try reader.bytes()),
            let stored = try stored(&reader, key: key, stamp: stamp)
        else { return nil }
        return ItemRecord(
            id: ItemID(place: place, generation: generation), folder: folder, path: path, stamp: stamp, head: head,
            key: key, keyNumber: keyNumber, stored: stored, course: course)
    }

    private static func course(_ number: Int64, _ detail: [UInt8]) -> ItemRecord.Course? {
        switch number {
        case Course.usual: .usual
        case Course.removing: ItemPath(detail).isAside ? .removing(aside: ItemPath(detail)) : nil
        case Course.quarantined: .quarantined(String(decoding: detail, as: UTF8.self))
        default: nil
        }
    }

    private static func stored(_ reader: inout ColumnReader, key itemKey: ObjectKey, stamp itemStamp: FileStamp) throws
        -> StoredState?
    {
        let stored = try reader.number()
        guard stored != Stored.none else { return StoredState.none }
        let since = try reader.numberIfAny()
        let store = try reader.bytesIfAny().flatMap { SHA256Digest(bytes: $0) }
        let proofKey = try reader.bytesIfAny().map(Self.key) ?? itemKey
        let session = try reader.bytesIfAny().flatMap { SessionID(hexadecimal($0)) }
        let stamp = try reader.bytesIfAny().map(Self.stamp) ?? itemStamp
        guard let store, let proofKey, let session, let stamp, let counts = try reader.numberIfAny(),
            let partBytes = try reader.numberIfAny(),
            let root = try reader.bytesIfAny().flatMap({ SHA256Digest(bytes: $0) }),
            let etag = try reader.textIfAny(), let version = try reader.textIfAny()
        else { return nil }
        let proof = ItemProof(
            store: store, key: proofKey, session: session, stamp: stamp, stampCounts: counts == 1,
            partBytes: UInt64(bitPattern: partBytes), root: root, etag: etag, version: version)
        switch (stored, since) {
        case (Stored.withdrawn, _): return .withdrawn(proof)
        case (Stored.held, let since?): return .held(proof, since: .nanoseconds(max(since, 0)))
        default: return nil
        }
    }

    private static func key(_ bytes: [UInt8]) -> ObjectKey? {
        do {
            return try ObjectKey(validating: bytes)
        } catch {
            return nil  // The caller skips the row.
        }
    }

    private static func stamp(_ bytes: [UInt8]) -> FileStamp? {
        guard bytes.count == stampByteCount else { return nil }
        return bytes.withUnsafeBytes { bytes in
            func number<Number: FixedWidthInteger>(at offset: Int, _ type: Number.Type) -> Number {
                Number(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
            }
            func time(at offset: Int) -> ModificationTime {
                ModificationTime(
                    seconds: number(at: offset, Int64.self), nanoseconds: number(at: offset + 8, UInt32.self))
            }
            return FileStamp(
                device: number(at: 0, UInt64.self), inode: number(at: 8, UInt64.self),
                size: number(at: 16, UInt64.self), modification: time(at: 24), change: time(at: 36))
        }
    }
}

/// Reads the columns of a row one after the other, by their indices: GRDB searches the row for a column's name.
private struct ColumnReader {
    let row: Row
    var index: Int

    mutating func number() throws -> Int64 { try value() }
    mutating func numberIfAny() throws -> Int64? { try valueIfAny() }
    mutating func bytes() throws -> [UInt8] { Array(try value() as Data) }
    mutating func bytesIfAny() throws -> [UInt8]? { (try valueIfAny() as Data?).map { Array($0) } }
    mutating func textIfAny() throws -> String? { try valueIfAny() }

    private mutating func value<Value: DatabaseValueConvertible & StatementColumnConvertible>() throws -> Value {
        defer { index += 1 }
        return try row.decode(Value.self, atIndex: index)
    }

    private mutating func valueIfAny<Value: DatabaseValueConvertible & StatementColumnConvertible>() throws -> Value? {
        defer { index += 1 }
        return try row.decode(Value?.self, atIndex: index)
    }
}

extension Duration {
    /// The duration in whole nanoseconds: 0 for a negative one, and the largest number for one that is too long.
    var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0 else { return 0 }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, sumOverflow) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || sumOverflow ? .max : max(sum, 0)
    }
}
