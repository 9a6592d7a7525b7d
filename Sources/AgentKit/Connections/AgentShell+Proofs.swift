import SystemSupport
import TransferCore

// Files of which gateways are asked whether the store holds them.

extension AgentShell {
    /// A file that a gateway is to be asked about, open already.
    typealias Question = (request: ProofRequest, file: SourceFile)

    func prove(_ questions: [Question]) {
        for (request, file) in questions {
            provenFiles[request.id] = file
            machine.prove(request, now: now)
            perform()
        }
    }

    func answered(_ id: UploadID, _ outcome: ProofOutcome) {
        guard provenFiles.removeValue(forKey: id) != nil else { return }
        atTurnsEnd { $0.events.append(.answered(id, outcome)) }
    }
}
