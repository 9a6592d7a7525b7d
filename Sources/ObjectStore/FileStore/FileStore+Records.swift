package import FoundationEssentials
import SystemSupport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension FileStore {
    package func writeRecord(name: String, bytes: [UInt8]) async throws(StoreError) {
        try checkRecordName(name)
        guard bytes.count <= limits.recordBytesMax else { throw StoreError(.tooLarge) }
        let directory = directory
        try await threads.run { try directory.writeRecord(name, bytes) }
    }

    package func readRecord(name: String) async throws(StoreError) -> StoredRecord? {
        try checkRecordName(name)
        let (directory, bytesMax) = (directory, limits.recordBytesMax)
        return try await threads.run { try directory.record(name, bytesMax: bytesMax) }
    }

    package func deleteRecord(name: String) async throws(StoreError) {
        try checkRecordName(name)
        let directory = directory
        try await threads.run { try directory.removeRecord(name) }
    }

    package func recordNames(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage {
        let (directory, pageCountMax) = (directory, pageCountMax)
        return try await threads.run {
            try directory.recordNames(prefix: prefix, after: after, countMax: pageCountMax)
        }
    }

    package func currentTime() async throws(StoreError) -> Date {
        let directory = directory
        return try await threads.run { try directory.currentTime() }
    }

    private func checkRecordName(_ name: String) throws(StoreError) {
        guard SessionRecord.isName(name) else {
            throw StoreError(.keyUnsupported, "This is not a valid name of a record.")
        }
    }
}

extension StoreDirectory {
    /// Writes a record in staging and renames it into place once its bytes are durable.
    func writeRecord(_ name: String, _ bytes: [UInt8]) throws {
        let path = instance.makeStagingPath()
        do {
            let file = try files.create(path)
            try file.write(bytes, at: 0)
            try file.sync()
            try files.rename(path, to: layout.record(name))
        } catch {
            discard(path)
            throw error
        }
        try files.syncFolder(layout.sessions)
    }

    /// Returns `nil` if there is no record; throws `.damaged` if the file of that name cannot be a record.
    func record(_ name: String, bytesMax: Int) throws -> StoredRecord? {
        do {
            let file = try files.open(layout.record(name))
            let status = try file.status()
            guard status.kind == .file, status.size <= UInt64(bytesMax) else {
                throw StoreError(.damaged, "A record is larger than the maximum.")
            }
            return StoredRecord(bytes: try file.read(bytesMax, at: 0), modified: status.modified)
        } catch let error as FileError where error.code == ENOENT {
            try confirmPresent()
            return nil
        }
    }

    /// Removes a record durably. If another gateway removed it first, makes that removal durable.
    func removeRecord(_ name: String) throws {
        do {
            try files.removeFile(layout.record(name))
        } catch {
            guard error.code == ENOENT else { throw error }
            try confirmPresent()
        }
        try files.syncFolder(layout.sessions)
    }

    /// Reads the whole folder for each page. The folder holds one record per unfinished session.
    func recordNames(prefix: String, after: String?, countMax: Int) throws -> RecordNamePage {
        var names: [String] = []
        try files.list(layout.sessions) { name in
            let isAfter = after.map { $0.utf8.lexicographicallyPrecedes(name.utf8) } ?? true
            if isAfter, name.utf8.starts(with: prefix.utf8), SessionRecord.isName(name) { names.append(name) }
            return true
        }
        names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let page = Array(names.prefix(countMax))
        return RecordNamePage(names: page, next: page.count < names.count ? page.last : nil)
    }

    /// The clock that dates files: on a network file system it is the server's.
    func currentTime() throws -> Date {
        let path = instance.makeStagingPath()
        let file = try files.create(path)
        defer { discard(path) }
        try file.touch()
        return try file.status().modified
    }
}
