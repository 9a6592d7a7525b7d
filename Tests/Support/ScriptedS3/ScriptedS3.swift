import Foundation
package import NIOCore
import S3Servers
import Synchronization
package import TestSupport
import TransferCommon

/// An S3 server in this process. Its bucket keeps the rules of one kind of store, and a test can give every call any
/// fault that stores and networks have.
package final class ScriptedS3: Sendable {
    package static let bucket = "bucket"

    /// The moment at which a closed gate (`closeGate`) stops a call.
    package enum Moment: String, Sendable, CaseIterable {
        /// Before the call is executed.
        case before
        /// After the call is executed, before the answer.
        case after
    }

    fileprivate struct PlannedFault {
        let matches: @Sendable (S3Call) -> Bool
        var remaining: Int
        let fault: S3Fault
    }

    fileprivate struct Gate {
        var remaining: Int
        let moment: Moment
        var isClosed = false
    }

    fileprivate struct State {
        var bucket: S3Bucket
        var faults: [PlannedFault] = []
        var calls: [S3Call] = []
        var gate: Gate?
    }

    package let rules: S3Rules
    private let state: Mutex<State>
    private let endpointHolder = Mutex("")
    /// The call that the gate has stopped.
    package let held = Watched<S3Call?>(nil)

    /// The address `http://127.0.0.1:<port>`.
    package var endpoint: String { endpointHolder.withLock { $0 } }

    private init(rules: S3Rules) {
        self.rules = rules
        self.state = Mutex(State(bucket: S3Bucket(rules: rules)))
    }

    /// Runs a server with an empty bucket.
    package static func withServer<Success>(
        _ rules: S3Rules, _ body: (ScriptedS3) async throws -> Success
    ) async throws -> Success {
        let store = ScriptedS3(rules: rules)
        return try await ScriptedServer.withServer(
            keepsLog: false, early: { store.early($0) }, { store.answer($0) }
        ) { server in
            store.endpointHolder.withLock { $0 = server.endpoint }
            return try await body(store)
        }
    }

    // MARK: - Planning faults

    /// Plans a fault for the next matching calls. If several plans match, the first one applies.
    package func inject(
        _ fault: S3Fault, into operation: S3Call.Operation, part: Int? = nil, times: Int = 1,
        where matches: @escaping @Sendable (S3Call) -> Bool = { !$0.isProbe && !$0.key.contains(".sluice/") }
    ) {
        let planned = PlannedFault(
            matches: { $0.operation == operation && (part == nil || $0.number == part) && matches($0) },
            remaining: times, fault: fault)
        state.withLock { $0.faults.append(planned) }
    }

    /// Cancels all planned faults.
    package func stopFaults() {
        state.withLock { $0.faults = [] }
    }

    /// Stops the `number`th call from now, counted from 1, and all later calls, until `openGate`.
    package func closeGate(atCall number: Int, _ moment: Moment) {
        held.update { $0 = nil }
        state.withLock { $0.gate = Gate(remaining: number, moment: moment) }
    }

    /// Opens the gate for later calls. The calls that the gate has stopped are never answered, and the store executes
    /// none of them any more.
    package func openGate() {
        state.withLock { $0.gate = nil }
    }

    /// Advances the store's clock.
    package func advanceClock(by duration: Duration) {
        state.withLock { $0.bucket.clockOffset += duration / .seconds(1) }
    }

    // MARK: - Observing calls and objects

    /// All calls so far, in the order in which their requests were complete.
    package var calls: [S3Call] { state.withLock { $0.calls } }

    /// Number of calls of one kind, without those of a probe.
    package func count(_ operation: S3Call.Operation) -> Int {
        calls.count { $0.operation == operation && !$0.isProbe }
    }

    /// An object's bytes, or `nil` if there is no object.
    package func object(_ key: String) -> ByteBuffer? {
        state.withLock { $0.bucket.objects[S3Key(key)]?.bytes }
    }

    /// An object's `x-amz-meta-…` headers and checksum.
    package func headers(of key: String) -> [String: String] {
        state.withLock { state in
            guard let object = state.bucket.objects[S3Key(key)] else { return [:] }
            var headers = object.metadata
            headers["x-amz-checksum-sha256"] = object.checksum?.value
            return headers
        }
    }

    /// The keys of all objects, sorted.
    package var keys: [String] { state.withLock { $0.bucket.objects.keys.sorted().map(\.text) } }

    /// Unfinished uploads with the numbers of their parts.
    package var uploads: [(id: String, key: String, parts: [Int])] {
        state.withLock { state in
            state.bucket.uploads.map { ($0.key, $0.value.key.text, $0.value.parts.keys.sorted()) }.sorted {
                $0.0 < $1.0
            }
        }
    }

    // MARK: - Acting as another program

    /// Writes an object as a program other than Sluice does.
    package func put(_ key: String, _ bytes: [UInt8]) {
        state.withLock { $0.bucket.putForeign(key, bytes) }
    }

    /// Begins an upload as a program other than Sluice does, and returns its id.
    @discardableResult
    package func beginUpload(_ key: String, parts: [[UInt8]] = []) -> String {
        state.withLock { state in
            let id = "foreign-\(state.bucket.newNumber())"
            state.bucket.uploads[id] = S3Bucket.Upload(
                key: S3Key(key), metadata: [:], begun: state.bucket.now, declaresSHA256: false)
            for (index, bytes) in parts.enumerated() { state.replacePart(index + 1, of: id, bytes) }
            return id
        }
    }

    /// Replaces a part, like a writer that does not know that the part is stored already.
    package func replacePart(_ number: Int, ofUpload id: String, _ bytes: [UInt8]) {
        state.withLock { $0.replacePart(number, of: id, bytes) }
    }

    /// Removes all uploads, as a lifecycle rule does.
    package func purgeUploads() {
        state.withLock { $0.bucket.uploads = [:] }
    }

    // MARK: - Answering

    private func early(_ request: ScriptedRequest) -> ScriptedAnswer? {
        let call = S3Call(request)
        return state.withLock { state in
            if rules.looksAtConditionsFirst, call.operation == .putObject,
                let refusal = state.bucket.refusal(of: request, rules.conditionalPut, key: call.key)
            {
                let head = "HTTP/1.1 \(refusal.status) Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                return .afterBodyBytes(0, .bytes(head))
            }
            guard let index = state.faults.firstIndex(where: { $0.remaining > 0 && $0.matches(call) }) else {
                return nil
            }
            switch state.faults[index].fault {
            case .reset(let bytes):
                state.faults[index].remaining -= 1
                return .afterBodyBytes(bytes, .reset)
            case .refuseEarly(let bytes, let status, let code):
                state.faults[index].remaining -= 1
                let body = "<Error><Code>\(code)</Code></Error>"
                let head =
                    "HTTP/1.1 \(status) Refused\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                return .afterBodyBytes(bytes, .bytes(head + body))
            default:
                return nil
            }
        }
    }

    private func answer(_ request: ScriptedRequest) -> ScriptedAnswer {
        let call = S3Call(request)
        let (answer, stopped) = state.withLock { state in
            let answer = state.answer(call, request)
            return (answer, answer == nil ? state.gate != nil : false)
        }
        if stopped { held.update { $0 = $0 ?? call } }
        return answer ?? .silence
    }
}

extension ScriptedS3.State {
    fileprivate mutating func replacePart(_ number: Int, of id: String, _ bytes: [UInt8]) {
        guard let (sha256, md5) = S3Bucket.digests(of: bytes) else { return }
        let part = S3Bucket.Part(
            bytes: ByteBuffer(bytes: bytes), etag: "\"\(S3Bucket.hexadecimal(md5))\"", md5: md5, sha256: sha256,
            modified: bucket.now)
        bucket.uploads[id]?.parts[number] = part
    }

    /// - Returns: `nil` if the gate has stopped the call.
    fileprivate mutating func answer(_ call: S3Call, _ request: ScriptedRequest) -> ScriptedAnswer? {
        var isLast = false
        if var open = gate, !call.isProbe, call.operation != .headBucket {
            guard !open.isClosed else { return nil }
            open.remaining -= 1
            open.isClosed = open.remaining <= 0
            gate = open
            isLast = open.isClosed
            if isLast, open.moment == .before { return nil }
        }
        calls.append(call)
        guard let index = faults.firstIndex(where: { $0.remaining > 0 && $0.matches(call) }) else {
            let reply = perform(call, request)
            return isLast ? nil : reply.scripted
        }
        faults[index].remaining -= 1
        return answer(call, request, with: faults[index].fault)
    }

    private mutating func perform(_ call: S3Call, _ request: ScriptedRequest) -> S3Reply {
        dated(bucket.perform(call, request))
    }

    private func dated(_ reply: S3Reply) -> S3Reply {
        var reply = reply
        reply.headers.append(("Date", S3Bucket.header(bucket.now)))
        return reply
    }

    private mutating func answer(
        _ call: S3Call, _ request: ScriptedRequest, with fault: S3Fault
    ) -> ScriptedAnswer {
        switch fault {
        case .refuse(let status, let code, let headers):
            var reply = dated(.error(status, code))
            reply.headers += headers
            return reply.scripted
        case .answer(let status, let body):
            return .answer(status: status, body: body)
        case .errorInside(let code, let spaces):
            return .afterSpaces(
                count: spaces, every: .milliseconds(1), body: "<Error><Code>\(code)</Code></Error>")
        case .spacesFirst(let count, let pause):
            return .afterSpaces(count: count, every: pause, body: String(buffer: perform(call, request).body))
        case .truncate(let bytes):
            let body = String(buffer: perform(call, request).body)
            return .bytes("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body.prefix(bytes))")
        case .emptyAnswer:
            _ = perform(call, request)
            return .answer(status: 200)
        case .loseAnswer:
            _ = perform(call, request)
            return .hangUp
        case .loseRequest: return .hangUp
        case .slow(let duration): return .delayed(duration, perform(call, request).scripted)
        case .silence:
            _ = perform(call, request)
            return .silence
        case .deafness: return .silence
        case .etag(let etag):
            var reply = perform(call, request)
            reply.headers.removeAll { $0.name == "ETag" }
            if !etag.isEmpty { reply.headers.append(("ETag", etag)) }
            return reply.scripted
        case .flipByte(let offset):
            var body = request.body
            if body.indices.contains(offset) { body[offset] ^= 1 }
            return perform(call, request.with(body: body)).scripted
        case .overwritten:
            let reply = perform(call, request)
            replacePart(call.number ?? 0, of: call.upload ?? "", request.body.map { $0 ^ 1 })
            return reply.scripted
        case .foreignObject(let bytes):
            bucket.putForeign(call.key, bytes)
            return .hangUp
        case .hideParts(let numbers): return listing(call, request, without: numbers).scripted
        case .uploadVanishes:
            bucket.uploads[call.upload ?? ""] = nil
            return perform(call, request).scripted
        case .reset, .refuseEarly:
            // The body was too short for the planned fault, so the call is executed normally.
            return perform(call, request).scripted
        }
    }

    private mutating func listing(_ call: S3Call, _ request: ScriptedRequest, without numbers: Set<Int>) -> S3Reply {
        let id = call.upload ?? ""
        let whole = bucket.uploads[id]
        for number in numbers { bucket.uploads[id]?.parts[number] = nil }
        let reply = perform(call, request)
        bucket.uploads[id] = whole
        return reply
    }
}
