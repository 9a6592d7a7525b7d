package import ObjectStore
import TransferCommon

/// One rule that every store must keep.
///
/// A check throws the violation that it finds, so it runs in any test library or in none. It uses keys of its own
/// below the given prefix, and leaves no unfinished upload behind if it succeeds.
package struct ConformanceCheck: Sendable, CustomStringConvertible {
    /// The rule, as a statement about the store.
    package let name: String
    private let body: @Sendable (StoreUnderTest) async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable (StoreUnderTest) async throws -> Void) {
        self.name = name
        self.body = body
    }

    package var description: String { name }

    /// Throws a `ConformanceFailure`, or an error that the store threw unexpectedly.
    package func run(on store: StoreUnderTest) async throws {
        try await body(store)
    }

    /// The conformance suite: all checks.
    package static let all = objects + bodies + uploads + completions + listings + records
}

/// A store and its known deviations.
package struct StoreUnderTest: Sendable {
    package let store: any ObjectStore
    package let deviations: Set<StoreDeviation>
    /// Prefix of every key, so that a bucket can be used again.
    package let keyPrefix: String

    package init(_ store: any ObjectStore, deviations: Set<StoreDeviation> = [], keyPrefix: String) {
        self.store = store
        self.deviations = deviations
        self.keyPrefix = keyPrefix
    }

    func has(_ deviation: StoreDeviation) -> Bool {
        deviations.contains(deviation)
    }

    func key(_ name: String) -> String {
        keyPrefix + name
    }
}

/// A known deviation of a store from the rules. If a deviation is listed for a store, the checks require the wrong
/// behaviour. They fail as soon as the store behaves correctly, so that its entry is removed from the list.
package enum StoreDeviation: String, CaseIterable, Sendable {
    /// Of two keys such as `a` and `a/b` only one can exist; the store refuses the other as `.keyUnsupported`.
    case keysCannotNest
    /// Like `keysCannotNest`, but the store lets an upload to the other key begin, and refuses only its completion.
    case nestedUploadsRefusedLate
    /// Of two keys such as `a` and `a/b` only one can exist; the store answers a write to the other with an internal
    /// error, so the client cannot know the reason.
    case nestedKeysFail
    /// The store keeps a body whose digest differs from the offered one. `StoreLimits.checksPartDigests` is then false.
    case digestsUnchecked
    /// If the store refuses an object because of its digest, it damages the existing object under the key: a client
    /// that reads the existing object gets only some of its bytes.
    case refusedPutsDamageObjects
    /// `putObject` with `ifAbsent` replaces an object. `StoreLimits.conditions` must show this.
    case putIgnoresIfAbsent
    /// `putObject` with `ifMatch` replaces any object. `StoreLimits.conditions` must show this.
    case putIgnoresIfMatch
    /// `completeUpload` with `ifAbsent` replaces an object. `StoreLimits.conditions` must show this.
    case completeIgnoresIfAbsent
    /// `completeUpload` with `ifMatch` replaces any object. `StoreLimits.conditions` must show this.
    case completeIgnoresIfMatch
    /// A completion must name all uploaded parts. The store answers a list that lacks one with `.partsInvalid`.
    case completeNeedsAllParts
    /// The store drops an upload if it refuses its completion.
    case refusedCompletionEndsUpload
    /// While a part with a lower number is missing, the store answers the upload of at most 256 parts, and leaves
    /// further ones unanswered. The check therefore uploads the parts in order.
    case partsWaitForEarlierOnes
    /// An uploaded part cannot be uploaded again.
    case partsCannotBeReplaced
    /// An upload can be accessed under any key.
    case uploadsIgnoreTheirKey
    /// Uploading a part to an unknown upload fails as `.unavailable`, and completing the upload fails as
    /// `.outcomeUnknown`.
    case unknownUploadsFail
    /// The store invents the creation dates of uploads.
    case uploadsMisdated
    /// Summaries contain no metadata.
    case metadataForgotten
    /// The store gives no evidence of the content of objects made of parts.
    case compositeEvidenceForgotten
    /// The store gives no evidence of the content of objects written by one PutObject.
    case partDigestForgotten
    /// The store never compares a SHA-256 with the bytes of an object, so its evidence is at most an MD5 or what a
    /// writer claimed.
    case evidenceUnchecked
}

/// The violation that a check found.
package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Throws a failure with this description unless the condition holds.
func expect(_ condition: Bool, _ what: @autoclosure () -> String, line: Int = #line) throws {
    if !condition { throw ConformanceFailure(description: "\(what()) (line \(line))") }
}

/// Unwraps a value; throws a failure with this description if it is `nil`.
func require<Value>(_ value: Value?, _ what: @autoclosure () -> String, line: Int = #line) throws -> Value {
    guard let value else { throw ConformanceFailure(description: "\(what()) (line \(line))") }
    return value
}

/// Checks that a call throws a `StoreError` with one of these reasons.
func expect<Value>(
    _ reasons: StoreError.Reason..., line: Int = #line, from call: () async throws -> Value
) async throws {
    let outcome: String
    do {
        outcome = "success: \(try await call())"
    } catch let error as StoreError {
        if reasons.contains(error.reason) { return }
        outcome = String(reflecting: error)
    }
    throw ConformanceFailure(description: "expected \(reasons), got \(outcome) (line \(line))")
}
