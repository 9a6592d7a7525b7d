package import TransferCore

/// Files that a command names, and the keys that they have: those that a push of the same would send.
package struct FileChoice: Sendable {
    package var paths: [String]
    /// Of the one file that `paths` names; `nil` for keys by name.
    package var key: String?
    /// Put before every key.
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

/// How files are checked.
package struct CheckOptions: Equatable, Sendable {
    /// A file with its proof's stamp is not read, where stamps tell versions apart.
    package var trustsStamp = false
    /// A gateway that is asked may read objects back where nothing else tells their content.
    package var readsBack = false
    /// The part size of the digests that a gateway is asked about; `nil` for that of the file's proof, or else the
    /// gateway's own.
    package var partBytes: UInt64?

    package init() {}
}

/// A file that was checked, or could not be.
package struct CheckedFile: Equatable, Sendable {
    /// What is known of it, or why nothing is.
    package enum Result: Equatable, Sendable {
        case found(FileCheck.Finding)
        case failed(UploadFailure)
    }

    package var path: String
    /// Without the device's prefix.
    package var key: String
    package var result: Result
    /// A gateway has signed a receipt, which the journal holds now.
    package var hasReceipt = false

    package init(path: String, key: String, _ result: Result) {
        self.path = path
        self.key = key
        self.result = result
    }

    /// - Parameters:
    ///   - outcome: what came of asking a gateway.
    ///   - fileBytes: of the file.
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

    /// What a program ends with because of this file, and of others like it.
    package var exitCode: Int32 {
        switch result {
        case .found(let finding): finding.state == .proven ? 0 : 1
        case .failed(let failure): failure.kind.exitCode
        }
    }
}
