package import FoundationEssentials
package import TransferCommon
import WireProtocol

/// The destination of uploads: a directory or an S3 bucket.
///
/// The calls are those of S3, because S3 cannot be changed; a directory imitates them. The conformance suite checks
/// these rules for every implementation:
///
/// - An object or a part appears whole or not at all. A body that fails, is too short or too long, has another digest
///   or is cancelled leaves nothing behind.
/// - A returned ETag, receipt, listing or summary describes data that survives a power cut.
/// - Keys, upload ids and record names are compared byte by byte; Unicode equivalence does not count.
/// - A store repeats requests by itself if that is useful, except requests whose body cannot be read a second time.
///   `StoreError.isRetryable` only concerns later attempts by the caller.
/// - Cancelling the calling task ends a call early with `.cancelled`, unless its effect is irrevocable: then the call
///   ends as if the task had not been cancelled.
package protocol ObjectStore: Sendable {
    /// Limits and checks of this store. They never change.
    var limits: StoreLimits { get }

    /// Identifies the store: equal for every gateway on it, different for each store (specification §11.3). It never
    /// changes.
    var identity: StoreIdentity { get throws(StoreError) }

    /// The summary of the object under a key (HEAD), or `nil` if there is none.
    ///
    /// The store never reads the object's bytes for it.
    func object(key: ObjectKey) async throws(StoreError) -> ObjectSummary?

    /// Stores a whole object by one request and replaces the key's object, if the condition allows it.
    ///
    /// - Parameters:
    ///   - metadata: the store adds the body's digest as `partDigest`, which later is the object's evidence.
    ///   - condition: if the condition does not hold, the call throws `.alreadyExists`; or `.preconditionGone`, if the
    ///     condition names an object and the key holds none. `StoreLimits.conditions` says which conditions the store
    ///     really checks.
    func putObject(
        key: ObjectKey, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt

    /// The bytes of an object together with the summary of exactly these bytes, or `nil` if there is no object.
    func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader?

    /// Begins a multipart upload. A key may have several uploads at a time.
    ///
    /// Throws `.outcomeUnknown` if the store may have begun an upload and the answer with its id was lost.
    /// - Parameter metadata: the metadata of the completed object. Its `partBytes` is the size of every part but the
    ///   last.
    /// - Returns: the upload id, which is opaque to the caller.
    func createUpload(key: ObjectKey, metadata: ObjectMetadata) async throws(StoreError) -> String

    /// Stores one part; replaces an earlier part of the same number.
    ///
    /// - Returns: the part's ETag with its quotes, to be passed unchanged to `completeUpload`.
    func uploadPart(
        key: ObjectKey, upload: String, number: PartNumber, body: ObjectBody
    ) async throws(StoreError) -> String

    /// One page of an upload's parts, in the order of their numbers.
    ///
    /// - Parameter after: `PartPage.next` of the previous page; `nil` for the first page.
    func listParts(key: ObjectKey, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage

    /// Makes the object out of exactly the named parts. Afterwards the upload no longer exists.
    ///
    /// These errors decide what the caller does next: `.invalidParts` (the named parts are missing or differ; the
    /// upload still exists), `.noSuchUpload` (the upload may also be completed already: compare the object's session
    /// id), `.completionInProgress`, `.alreadyExists`, `.preconditionGone` and `.conflict` (the upload still exists)
    /// and `.outcomeUnknown`.
    /// - Parameters:
    ///   - parts: numbered from 1 without a gap, all of one size but the last.
    ///   - size: bytes of the whole object. Throws `.sizeMismatch` if the parts' sizes have another sum.
    ///   - condition: as for `putObject`.
    func completeUpload(
        key: ObjectKey, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt

    /// Aborts an upload and removes its parts. Parts in flight may arrive afterwards: repeat until the store lists
    /// none.
    func abortUpload(key: ObjectKey, upload: String) async throws(StoreError)

    /// The unfinished uploads of exactly this key, the oldest first.
    func uploads(key: ObjectKey) async throws(StoreError) -> [UploadSummary]

    /// Writes a small record of the gateways; replaces a record of the same name.
    ///
    /// - Parameters:
    ///   - name: 1 to 200 of the characters `a-z A-Z 0-9 . _ -`, not beginning with a full stop.
    ///   - bytes: at most `StoreLimits.recordBytesMax` bytes.
    func writeRecord(name: String, bytes: [UInt8]) async throws(StoreError)

    /// A record's bytes and modification time, or `nil` if there is no record.
    func readRecord(name: String) async throws(StoreError) -> StoredRecord?

    /// Removes a record. A missing record is no error, so two gateways may remove the same record.
    func deleteRecord(name: String) async throws(StoreError)

    /// One page of the record names that begin with `prefix`, in the order of their bytes.
    ///
    /// - Parameter after: `RecordNamePage.next` of the previous page; `nil` for the first page.
    func recordNames(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage

    /// Removes the uploads and objects of interrupted store probes.
    ///
    /// - Parameter limit: a time of the store's clock. An upload or object that is younger may belong to a gateway that
    ///   is starting, and stays.
    /// - Returns: the number of removed uploads and objects; 0 for a store that needs no probe.
    func removeProbes(before limit: Date) async throws(StoreError) -> Int

    /// The clock that dates parts, uploads and records. Ages depend on this clock, never on the gateway's or a
    /// device's.
    func currentTime() async throws(StoreError) -> Date
}

extension ObjectStore {
    package func removeProbes(before limit: Date) async throws(StoreError) -> Int { 0 }

    /// All parts of an upload, in the order of their numbers, read page by page.
    ///
    /// - Throws: `.damaged` if the store's paging does not advance or end, so that a faulty server can neither block
    ///   the gateway nor fill its memory.
    package func allParts(key: ObjectKey, upload: String) async throws(StoreError) -> [ListedPart] {
        var parts: [ListedPart] = []
        var after: PartNumber?
        repeat {
            let page = try await listParts(key: key, upload: upload, after: after)
            parts.append(contentsOf: page.parts)
            if let next = page.next, let previous = after, next <= previous {
                throw StoreError(.damaged, "The store's list of parts does not advance.")
            }
            guard parts.count <= Int(limits.partsMax) else {
                throw StoreError(.damaged, "The store lists more parts than it allows.")
            }
            after = page.next
        } while after != nil
        return parts
    }
}
