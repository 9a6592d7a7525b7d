import ObjectStore
import S3Servers
import S3Store
import Synchronization
import Testing

/// How the client deletes the versions of the gateway's own objects. Some stores answer a deletion with success
/// although the version stays.
@Suite(.timeLimit(.minutes(5))) struct VersionTests {
    /// What a store does with a request to delete one version.
    enum Behaviour: CaseIterable {
        case deletes
        /// Answers with success and does nothing.
        case keeps
        /// Does not know the parameter `versionId`: hides the object behind a delete marker, which the answer names.
        case addsMarker
        /// Lists no version of an existing object.
        case listsNothing
        /// Has no object under the key.
        case hasNothing
    }

    private final class VersionedStore: Sendable {
        private struct State {
            var versions = ["2", "1"]
            var hasObject = true
        }

        private let behaviour: Behaviour
        private let state: Mutex<State>

        init(_ behaviour: Behaviour) {
            self.behaviour = behaviour
            self.state = Mutex(behaviour == .hasNothing ? State(versions: [], hasObject: false) : State())
        }

        var versions: [String] { state.withLock { $0.versions } }
        var hasObject: Bool { state.withLock { $0.hasObject } }

        func answer(_ request: ScriptedRequest) -> ScriptedAnswer {
            state.withLock { state in
                switch request.method {
                case "GET":
                    let listed = behaviour == .listsNothing ? [] : state.versions
                    let entries = listed.map {
                        "<Version><Key>\(VersionTests.key)</Key><VersionId>\($0)</VersionId></Version>"
                    }
                    return .answer(status: 200, body: "<ListVersionsResult>\(entries.joined())</ListVersionsResult>")
                case "HEAD":
                    return .answer(status: state.hasObject ? 200 : 404, headers: [("Content-Length", "0")])
                default:
                    guard
                        let version = request.target.split(separator: "versionId=").dropFirst().first.map({ String($0) }
                        )
                    else {
                        state.hasObject = false
                        return .answer(status: 204)
                    }
                    return delete(version, &state)
                }
            }
        }

        private func delete(_ version: String, _ state: inout State) -> ScriptedAnswer {
            var named = version
            if behaviour == .addsMarker {
                named = "\(state.versions.count + 1)"
                state.versions.insert(named, at: 0)
                state.hasObject = false
            } else if behaviour != .keeps {
                state.versions.removeAll { $0 == version }
                state.hasObject = !state.versions.isEmpty
            }
            return .answer(status: 204, headers: [("x-amz-version-id", named)])
        }
    }

    private static let key = ".sluice/sessions/record"

    /// Whatever the store answers, the record is gone afterwards, and the client does not send deletions without end.
    @Test(arguments: Behaviour.allCases)
    func recordIsGoneWhateverTheStoreAnswers(behaviour: Behaviour) async throws {
        let versioned = VersionedStore(behaviour)
        try await ScriptedServer.withServer({ versioned.answer($0) }) { server in
            var provider = S3Provider.generic
            provider.deletesVersions = true
            try await withScriptedStore(server, provider: provider) { store in
                try await store.deleteRecord(name: "record")
            }
            #expect(!versioned.hasObject)
            let deletions = server.requests.filter { $0.method == "DELETE" }
            let count = deletions.count { $0.target.contains("versionId=") }
            switch behaviour {
            case .deletes: #expect(versioned.versions.isEmpty && count == 2 && deletions.count == 2)
            case .keeps: #expect(count == 2 && deletions.count == 3)
            case .addsMarker: #expect(versioned.versions.count == 3 && count == 1 && deletions.count == 1)
            case .listsNothing: #expect(count == 0 && deletions.count == 1)
            case .hasNothing: #expect(deletions.isEmpty, "a deletion would add a delete marker")
            }
        }
    }
}
