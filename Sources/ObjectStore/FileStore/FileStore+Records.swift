package import FoundationEssentials
package import TransferCommon

extension FileStore {
    package func writeRecord(name: String, bytes: [UInt8]) async throws(StoreError) {
        try checkRecordName(name)
        guard bytes.count <= limits.recordBytesMax else { throw StoreError(.tooLarge) }
        let directory = directory
        try await threads.run { try directory.records.write(name, bytes) }
    }

    package func readRecord(name: String) async throws(StoreError) -> StoredRecord? {
        try checkRecordName(name)
        let (directory, bytesMax) = (directory, limits.recordBytesMax)
        return try await threads.run { try directory.records.read(name, bytesMax: bytesMax) }
    }

    package func deleteRecord(name: String) async throws(StoreError) {
        try checkRecordName(name)
        let directory = directory
        try await threads.run { try directory.records.remove(name) }
    }

    package func recordNames(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage {
        let (directory, pageCountMax) = (directory, pageCountMax)
        return try await threads.run {
            try directory.records.names(prefix: prefix, after: after, countMax: pageCountMax)
        }
    }

    package func currentTime() async throws(StoreError) -> Date? {
        let directory = directory
        return try await threads.run { try directory.currentTime() }
    }

    private func checkRecordName(_ name: String) throws(StoreError) {
        guard SessionRecord.isName(name) else {
            throw StoreError(.keyUnsupported, "This is not a valid name of a record.")
        }
    }
}
