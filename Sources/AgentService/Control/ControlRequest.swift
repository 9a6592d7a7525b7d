import FoundationEssentials
package import NIOHTTP1

/// What a client asks of the service.
///
///     GET  /v1/status                            ServiceStatus
///     POST /v1/pause     {"folder": "NAME"}      {}; without a folder: all
///     POST /v1/unpause   {"folder": "NAME"}      {}; without a folder: all
///     POST /v1/rescan    {"folder": "NAME"}      {}; without a folder: all
///     POST /v1/retry     {"items": ["ID"]}       {"items": 1}; an empty list: all
///     POST /v1/flush                             {"unproven": 0}, when it is done
///     POST /v1/reload                            {}
package enum ControlRequest: Equatable, Sendable {
    case status
    case pause(String?)
    case unpause(String?)
    case rescan(String?)
    case retry([String])
    case flush
    case reload

    /// A request that cannot be understood, with its answer.
    package struct Refused: Error, Equatable {
        package let answer: ControlAnswer
    }

    /// - Parameter target: the path of the request, as HTTP has it.
    package init(_ method: HTTPMethod, _ target: String, body: [UInt8]) throws(Refused) {
        switch (target, method) {
        case ("/v1/status", .GET): self = .status
        case ("/v1/pause", .POST): self = .pause(try Body(body, has: .folder).folder)
        case ("/v1/unpause", .POST): self = .unpause(try Body(body, has: .folder).folder)
        case ("/v1/rescan", .POST): self = .rescan(try Body(body, has: .folder).folder)
        case ("/v1/retry", .POST):
            guard let items = try Body(body, has: .items).items else {
                throw Self.refused(.badRequest, "the body names no items; write {\"items\": []} for all")
            }
            self = .retry(items)
        case ("/v1/flush", .POST):
            _ = try Body(body, has: nil)
            self = .flush
        case ("/v1/reload", .POST):
            _ = try Body(body, has: nil)
            self = .reload
        case ("/v1/status", _): throw Self.wrongMethod("GET")
        case ("/v1/pause", _), ("/v1/unpause", _), ("/v1/rescan", _), ("/v1/retry", _), ("/v1/flush", _),
            ("/v1/reload", _):
            throw Self.wrongMethod("POST")
        default: throw Self.refused(.notFound, "this version of the service has no such path")
        }
    }

    /// Asks the service.
    package func answer(of service: any ServiceControl) async -> ControlAnswer {
        do throws(ControlRefusal) {
            switch self {
            case .status: return ControlAnswer(await service.status())
            case .pause(let folder): try await service.pause(folder)
            case .unpause(let folder): try await service.unpause(folder)
            case .rescan(let folder): try await service.rescan(folder)
            case .retry(let items): return ControlAnswer(ControlRetried(items: try await service.retry(items)))
            case .flush: return ControlAnswer(ControlFlushed(unproven: try await service.flush()))
            case .reload: try await service.reload()
            }
            return .done
        } catch {
            return ControlAnswer(.conflict, error.message)
        }
    }

    private static func refused(_ status: HTTPResponseStatus, _ problem: String) -> Refused {
        Refused(answer: ControlAnswer(status, problem))
    }

    private static func wrongMethod(_ allowed: String) -> Refused {
        var answer = ControlAnswer(.methodNotAllowed, "this path takes \(allowed) only")
        answer.allowed = allowed
        return Refused(answer: answer)
    }
}

extension ControlRequest {
    /// The JSON that a request brings. A key that the path does not know is refused: with a misspelt folder, the
    /// request would otherwise concern all folders.
    private struct Body: Decodable {
        enum Key: String, CodingKey {
            case folder, items
        }

        var folder: String?
        var items: [String]?

        init(_ bytes: [UInt8], has field: Key?) throws(Refused) {
            guard !bytes.isEmpty else { return }
            do {
                self = try JSONDecoder().decode(Body.self, from: Data(bytes))
                guard folder == nil || field == .folder, items == nil || field == .items else {
                    throw Unknown()
                }
            } catch {
                let expected =
                    switch field {
                    case .folder: "{\"folder\": \"NAME\"} or {}"
                    case .items: "{\"items\": [\"ID\"]}"
                    case nil: "{} or nothing"
                    }
                throw ControlRequest.refused(.badRequest, "the body is not the JSON that this path takes: \(expected)")
            }
        }

        init(from decoder: any Decoder) throws {
            let names = try decoder.container(keyedBy: AnyKey.self).allKeys
            guard names.allSatisfy({ Key(stringValue: $0.stringValue) != nil }) else { throw Unknown() }
            let fields = try decoder.container(keyedBy: Key.self)
            folder = try fields.decodeIfPresent(String.self, forKey: .folder)
            items = try fields.decodeIfPresent([String].self, forKey: .items)
        }
    }

    /// The body has a key that its path does not know.
    private struct Unknown: Error {}

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init?(stringValue: String) { self.stringValue = stringValue }

        init?(intValue: Int) { nil }
    }
}
