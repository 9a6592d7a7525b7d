import ArgumentParser
package import CommandSupport
package import SystemSupport

/// What sluice-agent promises to those who call it.
package enum AgentInterface {
    package static var program: ProgramInterface {
        ProgramInterface(
            name: "sluice-agent", help: SluiceAgent._dumpHelp(), meaning: meaning, objects: objects)
    }

    /// The meaning of an exit status.
    package static func meaning(_ status: ProgramExit) -> String? {
        switch status {
        case .success: "all stored, or proven"
        case .failure: "several causes, the key holds other content, a file is not proven, or the service refuses"
        case .usage: "wrong usage"
        case .wrongData: "a file changed or is another one, or a command failed"
        case .missingInput: "a file is missing or unreadable"
        case .storeRefuses: "the store refuses, or no service runs in the home"
        case .outputLost: "this machine's disk is full, or the output could not be written"
        case .tryAgain: "try again later, everything is kept, or a file is still being written"
        case .protocolMismatch: "the gateway speaks another protocol, or the service is of another version"
        case .notAuthorised: "this device is not authorised"
        }
    }

    static let objects = [
        JSONObjectDeclaration(PartFields.self, of: "push", "resume", "abort"),
        JSONObjectDeclaration(FileFields.self, of: "push", "resume", "abort"),
        JSONObjectDeclaration(NoteFields.self, of: "push", "resume", "abort", "push --dry-run"),
        JSONObjectDeclaration(FinishedFields.self, of: "push", "resume", "abort"),
        JSONObjectDeclaration(RunSummaryFields.self, of: "push", "resume", "abort"),
        JSONObjectDeclaration(PlannedFields.self, of: "push --dry-run"),
        JSONObjectDeclaration(PlanSummaryFields.self, of: "push --dry-run"),
        JSONObjectDeclaration(CheckedFields.self, of: "check"),
        JSONObjectDeclaration(CheckSummaryFields.self, of: "check"),
        JSONObjectDeclaration(UnfinishedFields.self, of: "status"),
        JSONObjectDeclaration(StatusSummaryFields.self, of: "status"),
        JSONObjectDeclaration(FolderFields.self, of: "status"),
        JSONObjectDeclaration(SendingFields.self, of: "status"),
        JSONObjectDeclaration(TroubleFields.self, of: "status"),
        JSONObjectDeclaration(ServiceFields.self, of: "status"),
        JSONObjectDeclaration(FindingFields.self, of: "doctor"),
        JSONObjectDeclaration(DoctorSummaryFields.self, of: "doctor"),
        JSONObjectDeclaration(ReceiptFields.self, of: "receipts list", "receipts verify"),
        JSONObjectDeclaration(ExportedFields.self, of: "receipts export"),
        JSONObjectDeclaration(ReceiptSummaryFields.self, of: "receipts list", "receipts verify", "receipts export"),
        JSONObjectDeclaration(PrunedFields.self, of: "receipts prune"),
        JSONObjectDeclaration(HomeFields.self, of: "init"),
        JSONObjectDeclaration(DigestFields.self, of: "digest"),
        JSONObjectDeclaration(SettingFields.self, of: "config show"),
        JSONObjectDeclaration(SettingProblemFields.self, of: "config check"),
        JSONObjectDeclaration(SettingsCheckFields.self, of: "config check"),
    ]
}
