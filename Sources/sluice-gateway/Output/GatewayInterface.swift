import ArgumentParser
package import CommandSupport
package import SystemSupport

/// What sluice-gateway promises to those who call it.
package enum GatewayInterface {
    package static var program: ProgramInterface {
        ProgramInterface(
            name: "sluice-gateway", help: SluiceGateway._dumpHelp(), meaning: meaning, objects: objects)
    }

    /// The meaning of an exit status.
    package static func meaning(_ status: ProgramExit) -> String? {
        switch status {
        case .success: "all went well"
        case .failure: "an object or a receipt is not valid, or several causes"
        case .usage: "wrong usage"
        case .missingInput: "the home is missing or damaged"
        case .storeRefuses: "the store refuses, or the bucket is missing"
        case .outputLost: "the output could not be written"
        case .tryAgain: "try again later"
        case .wrongData, .protocolMismatch, .notAuthorised: nil
        }
    }

    static let objects = [
        JSONObjectDeclaration(HomeFields.self, of: "init"),
        JSONObjectDeclaration(ListeningFields.self, of: "serve"),
        JSONObjectDeclaration(DeviceFields.self, of: "device list", "device add"),
        JSONObjectDeclaration(InvitationFields.self, of: "device list", "device invite"),
        JSONObjectDeclaration(ReportFields.self, of: "device list"),
        JSONObjectDeclaration(RevocationFields.self, of: "device revoke"),
        JSONObjectDeclaration(SealingKeyFields.self, of: "keys list"),
        JSONObjectDeclaration(RotationFields.self, of: "keys rotate"),
        JSONObjectDeclaration(
            SiteKeyFields.self, of: "identity list", "identity announce", "identity switch", "identity retire"),
        JSONObjectDeclaration(KnowledgeFields.self, of: "identity list"),
        JSONObjectDeclaration(KnowledgeSummaryFields.self, of: "identity list"),
        JSONObjectDeclaration(UploadFields.self, of: "uploads list"),
        JSONObjectDeclaration(UploadSummaryFields.self, of: "uploads list"),
        JSONObjectDeclaration(RemovedFields.self, of: "uploads clean"),
        JSONObjectDeclaration(CleaningSummaryFields.self, of: "uploads clean"),
        JSONObjectDeclaration(UploadFailureFields.self, of: "uploads list", "uploads clean"),
        JSONObjectDeclaration(VerifiedFields.self, of: "verify"),
        JSONObjectDeclaration(ReceiptFields.self, of: "receipt verify"),
        JSONObjectDeclaration(SettingFields.self, of: "config show"),
        JSONObjectDeclaration(SettingProblemFields.self, of: "config check"),
        JSONObjectDeclaration(SettingsCheckFields.self, of: "config check"),
    ]
}
