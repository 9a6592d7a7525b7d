import Logging
import ObjectStore
import SystemSupport
package import TransferCommon

/// The operator's commands on a store: verify an object, and list or remove unfinished uploads. They open the store
/// themselves, so they work whether or not a gateway is running.
package struct UploadAdministration: Sendable {
    private let site: SiteStore
    private let logger = Logger.silent

    package init(site: SiteStore) {
        self.site = site
    }

    /// Reads an object back and compares its bytes with what is known of its content (`ObjectVerification`).
    ///
    /// - Parameters:
    ///   - key: the complete key, including the device's prefix.
    ///   - expected: the SHA-256 that the object should have; `nil` if only the store knows.
    ///   - observe: called with the result.
    /// - Returns: the exit code: 0 if the bytes match, 1 if they do not match, 66 if there is no object, 69 if there is
    ///   nothing to compare the bytes with.
    package func verify(
        key: String, expected: SHA256Digest? = nil, observe: (ObjectVerification.Result) -> Void = { _ in },
        _ print: @Sendable (String) -> Void
    ) async throws -> Int32 {
        let result = try await withStore(triesOut: true) { store in
            try await ObjectVerification(store: store).verify(key: key, expected: expected)
        }
        observe(result)
        let key = key.withVisibleControls
        if let digest = result.digest {
            print("\(key): \(ObjectVerification.bytesText(result.bytes)), SHA-256 \(digest)")
        }
        switch result.verdict {
        case .missing:
            print("\(key): there is no such object")
            return ProgramExit.missingInput.rawValue
        case .whole(let evidence):
            print("whole: its bytes give the \(evidence)")
            return ProgramExit.success.rawValue
        case .damaged(let evidence, let found, let isNamed):
            print("DAMAGED: \(evidence) was \(isNamed ? "named" : "stored"), the bytes give \(found)")
            return ProgramExit.failure.rawValue
        case .unknown:
            print("cannot say: the store keeps nothing to compare with; name the file's SHA-256 with --sha256")
            return ProgramExit.storeRefuses.rawValue
        }
    }

    /// Prints one row for each unfinished upload, and their number.
    ///
    /// - Parameters:
    ///   - observe: called with each upload, each failure and the sums.
    ///   - row: called with the cells of an upload (`UploadReport`).
    ///   - advise: called with a sentence for each upload that could not be looked up.
    /// - Returns: the exit code: 0 if all uploads were listed, otherwise that of the failures (`UploadReport`).
    package func list(
        observe: @escaping @Sendable (UploadReport.Entry) -> Void = { _ in }, row: @Sendable ([String]) -> Void,
        _ print: @Sendable (String) -> Void,
        advise: @escaping @Sendable (String) -> Void
    ) async throws -> Int32 {
        try await withStore(triesOut: false) { store in
            let cleaner = UploadCleaner(store: store, logger: logger)
            return try await UploadReport.list(cleaner, observe: observe, row: row, print, advise: advise)
        }
    }

    /// Removes unfinished uploads that have received no part for `age`.
    ///
    /// - Parameters:
    ///   - observe: called with each removed upload, each failure and the sums.
    ///   - advise: called with a sentence for each failure.
    /// - Returns: the exit code: 0 if nothing failed, otherwise that of the failures (`UploadReport`).
    package func clean(
        olderThan age: Duration, observe: @escaping @Sendable (UploadReport.Entry) -> Void = { _ in },
        _ print: @Sendable (String) -> Void, advise: @escaping @Sendable (String) -> Void
    ) async throws -> Int32 {
        try await withStore(triesOut: false) { store in
            let cleaner = UploadCleaner(store: store, logger: logger)
            return try await UploadReport.clean(cleaner, olderThan: age, observe: observe, print, advise: advise)
        }
    }

    /// Opens the store for `body`. Closes the store even after an error: closing removes what this process left in it.
    ///
    /// - Parameter triesOut: whether the store is tested first, which writes to it. Listing and removing uploads do not
    ///   need the test.
    private func withStore<Result>(
        triesOut: Bool, _ body: (any ObjectStore) async throws -> Result
    ) async throws -> Result {
        if case .file(directory: let path) = try StoreLocation(parsing: site.location) {
            ActingUser.becomeOwner(of: path, orOf: ".sluice")
        }
        let store = try await site.open(triesOut: triesOut, logger: logger)
        do {
            let result = try await body(store)
            await SiteStore.close(store)
            return result
        } catch {
            await SiteStore.close(store)
            throw error
        }
    }
}
