package import SystemSupport
package import TransferCore

/// The files that a `check` command names, with the rules for their keys. A `push` with the same arguments sends the
/// same files under the same keys.
package struct FileChoice: Sendable {
    package var paths: [String]
    /// Key of the only file that `paths` names; `nil` to derive keys from file names.
    package var key: String?
    /// Text that is put before every key.
    package var prefix: String
    package var filter: FileFilter

    package init(paths: [String], key: String? = nil, prefix: String = "", filter: FileFilter = FileFilter()) {
        self.paths = paths
        self.key = key
        self.prefix = prefix
        self.filter = filter
    }

    func batches(home: AgentHome) -> FileBatches {
        let files = FileWalk(paths: paths, filter: filter, home: FileIdentity(of: home.path))
        return FileBatches(files: files, key: key, prefix: prefix)
    }
}

/// Options for checking files.
package struct CheckOptions: Equatable, Sendable {
    /// Whether a file counts as unchanged, without being read, if its stamp (size, times, inode) still equals the stamp
    /// in the journal's proof. Applies only to files whose stamp is known to change with every new version.
    package var trustsStamp = false
    /// Whether a gateway may read an object back from the store if nothing else shows the object's content.
    package var readsBack = false
    /// Part size, in bytes, for the digests that the agent sends to the gateway. `nil` for the part size in the
    /// journal's proof of the file, or for the gateway's default if the journal has no proof.
    package var partBytes: UInt64?

    package init() {}
}

/// The result of checking one file.
package struct CheckedFile: Equatable, Sendable {
    /// The finding, or why the file could not be checked.
    package enum Result: Equatable, Sendable {
        case found(FileCheck.Finding)
        case failed(UploadFailure)
    }

    package var path: String
    /// The key without the device's prefix.
    package var key: String
    package var result: Result
    /// The device's store and key prefix; `nil` if no gateway has named them yet.
    package var site: DeviceSite?
    /// Whether a gateway signed a receipt during this check. The journal then keeps this receipt.
    package var hasReceipt = false

    package init(path: String, key: String, at site: DeviceSite? = nil, _ result: Result) {
        self.path = path
        self.key = key
        self.site = site
        self.result = result
    }

    /// Makes the result from the answer of a gateway.
    ///
    /// - Parameter outcome: the result of asking the gateway.
    /// - Parameter fileBytes: size of the file in bytes.
    init(path: String, key: String, _ outcome: ProofOutcome, fileBytes: UInt64) {
        self.path = path
        self.key = key
        if case .proven(.kept) = outcome { hasReceipt = true }
        if let finding = FileCheck.finding(outcome, fileBytes: fileBytes) {
            result = .found(finding)
        } else if case .failed(let failure) = outcome {
            result = .failed(failure)
        } else {
            result = .failed(UploadFailure(.protocolViolation))
        }
    }

    /// Exit status of a command whose worst result is this one.
    package var exitStatus: ProgramExit {
        switch result {
        case .found(let finding): finding.state == .proven ? .success : .failure
        case .failed(let failure): failure.kind.exitStatus
        }
    }
}
