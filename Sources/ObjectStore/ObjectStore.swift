package import FoundationEssentials
package import TransferCommon
import WireProtocol

/// Where objects end up: a directory or an S3 bucket.
///
/// The calls are S3's own, because S3 is the store that cannot be changed; a directory imitates them. What holds of
/// every implementation is written as checks in the conformance suite:
///
/// - An object or a part appears whole or not at all. A body that fails, is too short or too long, has another digest
///   or is cancelled leaves nothing behind.
/// - A returned ETag, receipt, listing or summary describes what a power cut will not take away.
/// - Keys, upload ids and record names are compared byte by byte, never by what Unicode holds equal.
/// - A store repeats by itself what it knows to be worth repeating, but never sends a body twice that cannot be
///   replayed. `StoreError.isRetryable` is about what the caller may do later.
/// - Cancelling the calling task ends a call early with `.cancelled`, unless its effect can no longer be taken back:
///   then it ends as if nobody had cancelled.
package protocol ObjectStore: Sendable {
    /// What this store accepts and checks. Constant for the life of the value.
    var limits: StoreLimits { get }

    /// Names the store: the same for every gateway on it, another for another store (specification §11.3). Constant
    /// for the life of the value.
    var identity: StoreIdentity { get throws(StoreError) }

    /// What is stored under a key (HEAD), or `nil` where there is nothing.
    ///
    /// Reading the object's bytes is never needed for it.
    func object(key: ObjectKey) async throws(StoreError) -> ObjectSummary?

    /// Stores a whole object at once and replaces what the key held, where the condition allows it.
    ///
    /// - Parameters:
    ///   - metadata: the store adds the body's digest as `partDigest`, which is the object's evidence later.
    ///   - condition: where it does not hold, throws `.alreadyExists`, or `.preconditionGone` where it names an object
    ///     and the key holds none. `StoreLimits.conditions` tells which conditions the store really checks.
    func putObject(
        key: ObjectKey, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt

    /// The bytes of an object together with the summary that describes exactly these bytes, or `nil` where there is
    /// none.
    func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader?

    /// Begins a multipart upload. A key may have several at a time.
    ///
    /// Throws `.outcomeUnknown` where one may have been begun whose id was lost on the way.
    /// - Parameter metadata: fixed here; the completed object bears it. Its `partBytes` is the size of every part but
    ///   the last.
    /// - Returns: the upload id, which only this store can read.
    func createUpload(key: ObjectKey, metadata: ObjectMetadata) async throws(StoreError) -> String

    /// Stores one part, replacing an earlier one of the same number.
    ///
    /// - Returns: the part's ETag, to be given back unchanged, quotes included.
    func uploadPart(
        key: ObjectKey, upload: String, number: PartNumber, body: ObjectBody
    ) async throws(StoreError) -> String

    /// One page of an upload's parts, in the order of their numbers.
    ///
    /// - Parameter after: the number that the last page ended with (`PartPage.next`); `nil` begins at the first.
    func listParts(key: ObjectKey, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage

    /// Makes the object out of exactly the named parts. Afterwards the upload is gone.
    ///
    /// Errors that decide what the caller does next: `.invalidParts` (those are missing or differ; the upload is still
    /// there), `.noSuchUpload` (which may also mean that it has been completed already: look at the object's session
    /// id), `.completionInProgress`, `.alreadyExists`, `.preconditionGone` and `.conflict` (in all of which the upload
    /// is still there) and `.outcomeUnknown`.
    /// - Parameters:
    ///   - parts: numbered from 1 without a gap, all of one size but the last.
    ///   - size: of the whole object. `.sizeMismatch` where the parts do not add up to it.
    ///   - condition: as for `putObject`.
    func completeUpload(
        key: ObjectKey, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt

    /// Drops an upload and its parts. Parts in flight may land afterwards: repeat until the store lists none.
    func abortUpload(key: ObjectKey, upload: String) async throws(StoreError)

    /// The unfinished uploads of exactly this key, the oldest first.
    func uploads(key: ObjectKey) async throws(StoreError) -> [UploadSummary]

    /// Writes a small record of the gateways' own, replacing one of the same name.
    ///
    /// - Parameters:
    ///   - name: 1 to 200 of the characters `a-z A-Z 0-9 . _ -`, not beginning with a full stop.
    ///   - bytes: at most `StoreLimits.recordBytesMax`.
    func writeRecord(name: String, bytes: [UInt8]) async throws(StoreError)

    /// A record's bytes and age, or `nil` where there is none.
    func readRecord(name: String) async throws(StoreError) -> StoredRecord?

    /// Removes a record. One that is not there is no error, so that two may remove it.
    func deleteRecord(name: String) async throws(StoreError)

    /// One page of the names that begin with `prefix`, in the order of their bytes.
    ///
    /// - Parameter after: the name that the last page ended with (`RecordNamePage.next`); `nil` begins at the first.
    func recordNames(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage

    /// Removes what trying the store out left behind where its gateway died meanwhile.
    ///
    /// - Parameter limit: by the store's clock; what is younger may be a gateway's that is just starting.
    /// - Returns: how many uploads and objects. Stores that are not tried out have none.
    func removeProbes(before limit: Date) async throws(StoreError) -> Int

    /// The clock that dates parts, uploads and records. Ages are judged by it, never by the gateway's or a device's.
    func currentTime() async throws(StoreError) -> Date
}

extension ObjectStore {
    package func removeProbes(before limit: Date) async throws(StoreError) -> Int { 0 }

    /// All parts of an upload, in the order of their numbers, through as many pages as it takes.
    ///
    /// - Throws: `.damaged` where the store's paging does not advance or end, so that a careless server cannot keep
    ///   or fill us.
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
