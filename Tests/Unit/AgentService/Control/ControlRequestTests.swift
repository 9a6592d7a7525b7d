import AgentService
import NIOHTTP1
import TestSupport
import Testing

/// Tests of what the control socket understands.
@Suite struct ControlRequestTests {
    private static func read(_ method: HTTPMethod, _ target: String, _ body: String) throws -> ControlRequest {
        try ControlRequest(method, target, body: Array(body.utf8))
    }

    @Test func everyRequestIsUnderstood() throws {
        let rows: [(HTTPMethod, String, String, ControlRequest)] = [
            (.GET, "/v1/status", "", .status),
            (.POST, "/v1/pause", #"{"folder": "cam"}"#, .pause("cam")),
            (.POST, "/v1/pause", "{}", .pause(nil)),
            (.POST, "/v1/pause", #"{"folder": null}"#, .pause(nil)),
            (.POST, "/v1/pause", "", .pause(nil)),
            (.POST, "/v1/unpause", #"{"folder": "cam"}"#, .unpause("cam")),
            (.POST, "/v1/rescan", #"{"folder": "cam"}"#, .rescan("cam")),
            (.POST, "/v1/retry", #"{"items": ["cam:1.0", "cam:2.0"]}"#, .retry(["cam:1.0", "cam:2.0"])),
            (.POST, "/v1/retry", #"{"items": []}"#, .retry([])),
            (.POST, "/v1/flush", "", .flush),
            (.POST, "/v1/reload", "{}", .reload),
        ]
        for (method, target, body, request) in rows {
            #expect(try Self.read(method, target, body) == request, "\(target) \(body)")
        }
    }

    /// A misspelt key must not make the request concern all folders or all items.
    @Test func otherBodiesAreRefused() {
        let rows = [
            ("/v1/pause", #"{"foldr": "cam"}"#), ("/v1/pause", #"{"items": []}"#), ("/v1/pause", #"{"folder": 1}"#),
            ("/v1/pause", "cam"), ("/v1/pause", "[]"), ("/v1/pause", "{}{}"), ("/v1/retry", "{}"), ("/v1/retry", ""),
            ("/v1/retry", #"{"items": "cam:1.0"}"#), ("/v1/retry", #"{"items": [1]}"#),
            ("/v1/retry", #"{"folder": "cam"}"#), ("/v1/flush", #"{"folder": "cam"}"#), ("/v1/reload", "\u{0}"),
        ]
        for (target, body) in rows {
            let error = #expect(throws: ControlRequest.Refused.self, "\(target) \(body)") {
                try Self.read(.POST, target, body)
            }
            #expect(error?.answer.status == .badRequest, "\(target) \(body)")
        }
    }

    @Test func otherMethodsAndPathsAreRefused() {
        let rows: [(HTTPMethod, String, HTTPResponseStatus, String?)] = [
            (.POST, "/v1/status", .methodNotAllowed, "GET"), (.GET, "/v1/pause", .methodNotAllowed, "POST"),
            (.DELETE, "/v1/flush", .methodNotAllowed, "POST"), (.GET, "/", .notFound, nil),
            (.GET, "/v2/status", .notFound, nil), (.GET, "/v1/status?x", .notFound, nil),
            (.POST, "/v1/pausee", .notFound, nil),
        ]
        for (method, target, status, allowed) in rows {
            let error = #expect(throws: ControlRequest.Refused.self, "\(method) \(target)") {
                try Self.read(method, target, "")
            }
            #expect(error?.answer.status == status, "\(method) \(target)")
            #expect(error?.answer.allowed == allowed, "\(method) \(target)")
        }
    }

    @Test func answersTellWhatTheServiceSays() async {
        let service = FakeService()
        let rows: [(ControlRequest, HTTPResponseStatus, String)] = [
            (.pause("cam"), .ok, "{}"), (.retry(["cam:1.0"]), .ok, #"{"items":1}"#),
            (.pause("missing"), .conflict, #"{"problem":"there is no folder missing"}"#), (.reload, .ok, "{}"),
        ]
        for (request, status, body) in rows {
            let answer = await request.answer(of: service)
            #expect(answer.status == status, "\(request)")
            #expect(String(decoding: answer.body, as: UTF8.self) == body, "\(request)")
        }
        #expect(service.asked.current == ["pause cam", "retry cam:1.0", "pause missing", "reload"])
    }
}
