package import ObjectStore

/// One thing that every store must do.
///
/// A check throws what it finds wrong, so it runs under any test library or none. It uses keys of its own below the
/// given prefix and leaves no unfinished upload behind where it succeeds.
package struct ConformanceCheck: Sendable, CustomStringConvertible {
    /// A statement about the store.
    package let name: String
    private let body: @Sendable (StoreUnderTest) async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable (StoreUnderTest) async throws -> Void) {
        self.name = name
        self.body = body
    }

    package var description: String { name }

    /// Throws a `ConformanceFailure`, or what the store threw where it should not have.
    package func run(on store: StoreUnderTest) async throws {
        try await body(store)
    }

    /// Every check there is.
    package static let all = objects + bodies + uploads + completions + listings + records
}

/// A store and what is already known to be wrong with it.
package struct StoreUnderTest: Sendable {
    package let store: any ObjectStore
    package let deviations: Set<StoreDeviation>
    /// Before every key, so that a bucket can be used again.
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

/// What a store does otherwise than it should. Where an entry is named, the checks assert the wrong behaviour, so that
/// they fail as soon as the store mends its ways and the entry has to go.
package enum StoreDeviation: String, CaseIterable, Sendable {
    /// A key cannot stand beside one that goes on from it with a slash; it is refused as `.keyUnsupported`.
    case keysCannotNest
    /// The same, but an upload is begun, and only its completion refused as `.keyUnsupported`.
    case nestedUploadsRefusedLate
    /// A body with another digest than was offered is stored. `StoreLimits.checksPartDigests` says so.
    case digestsUnchecked
    /// `putObject` with `ifAbsent` replaces. `StoreLimits.conditions` says so.
    case putIgnoresIfAbsent
    /// `putObject` with `ifMatch` replaces whatever is there. `StoreLimits.conditions` says so.
    case putIgnoresIfMatch
    /// `completeUpload` with `ifAbsent` replaces. `StoreLimits.conditions` says so.
    case completeIgnoresIfAbsent
    /// `completeUpload` with `ifMatch` replaces whatever is there. `StoreLimits.conditions` says so.
    case completeIgnoresIfMatch
    /// Completing takes all parts that were uploaded or none: a list that lacks one is `.invalidParts`.
    case completeNeedsAllParts
    /// A part that has been uploaded cannot be uploaded again.
    case partsCannotBeReplaced
    /// An upload can be reached under any key.
    case uploadsIgnoreTheirKey
    /// A part for an unknown upload is `.unavailable`, and its completion `.outcomeUnknown`.
    case unknownUploadsFail
    /// The date of an upload's creation is made up.
    case uploadsMisdated
    /// Summaries have no metadata.
    case metadataForgotten
    /// Objects made of parts have no evidence.
    case compositeEvidenceForgotten
    /// Objects put at once have no evidence.
    case partDigestForgotten
    /// The store has compared no digest with an object's bytes: evidence is what a writer said, an MD5, or none.
    case evidenceUnchecked
}

/// What a check found.
package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Checks a condition and otherwise throws what was expected.
func expect(_ condition: Bool, _ what: @autoclosure () -> String, line: Int = #line) throws {
    if !condition { throw ConformanceFailure(description: "\(what()) (line \(line))") }
}

/// The value, which must be there.
func require<Value>(_ value: Value?, _ what: @autoclosure () -> String, line: Int = #line) throws -> Value {
    guard let value else { throw ConformanceFailure(description: "\(what()) (line \(line))") }
    return value
}

/// Checks that a call throws a `StoreError` for one of these reasons.
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
