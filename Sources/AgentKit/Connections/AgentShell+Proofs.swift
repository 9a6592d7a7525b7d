import SystemSupport
import TransferCore

// Asking gateways whether the store holds a file.

extension AgentShell {
    /// An open file that a gateway is asked about.
    typealias Question = (request: ProofRequest, file: SourceFile)

    func prove(_ questions: [Question]) {
        for (request, file) in questions {
            provenFiles[request.id] = file
            handle(.asked(request))
        }
    }

    func answered(_ id: UploadID, _ outcome: ProofOutcome) {
        guard provenFiles.removeValue(forKey: id) != nil else { return }
        atTurnsEnd { $0.events.append(.answered(id, outcome)) }
    }
}
