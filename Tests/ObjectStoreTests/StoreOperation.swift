import ObjectStore
import Testing
import WireProtocol

/// A call that changes a store, with what must stand before it and what it is to bring about. For tests that break it
/// off at every step.
struct StoreOperation: Sendable, CustomTestStringConvertible {
    static let key = "some/folder/object"
    static let old = Sample(1500, seed: 1)
    static let new = Sample(2500, seed: 2)
    /// The new content in parts of 1000 bytes.
    static let parts = [0, 1000, 2000].map { Sample(part: $0) }

    /// What a call needs to know of what stood before.
    struct Context: Sendable {
        var upload = ""
        var parts: [CompletedPart] = []
    }

    let testDescription: String
    let prepare: @Sendable (FileStore) async throws -> Context
    let perform: @Sendable (FileStore, Context) async throws -> Void
    /// What the key may hold before and after.
    let before: Sample?
    let after: Sample?

    static let all = [
        putNew, putOver, putIfAbsent, create, uploadPart, uploadPartAgain, completeNew, completeOver,
        completeIfAbsent, abort,
    ]

    static let publishing = [putNew, putOver, putIfAbsent, completeNew, completeOver, completeIfAbsent]

    private static let putNew = StoreOperation(
        testDescription: "put", prepare: { _ in Context() },
        perform: { store, _ in try await store.put(new, key: key, session: 2) }, before: nil, after: new)

    private static let putOver = StoreOperation(
        testDescription: "put over another",
        prepare: { store in
            try await store.put(old, key: key)
            return Context()
        },
        perform: { store, _ in try await store.put(new, key: key, session: 2) }, before: old, after: new)

    private static let putIfAbsent = StoreOperation(
        testDescription: "put if absent", prepare: { _ in Context() },
        perform: { store, _ in try await store.put(new, key: key, session: 2, condition: .ifAbsent) }, before: nil,
        after: new
    )

    private static let create = StoreOperation(
        testDescription: "create upload", prepare: { _ in Context() },
        perform: { store, _ in _ = try await store.createUpload(key: key, metadata: metadata(session: 2)) },
        before: nil, after: nil)

    private static let uploadPart = StoreOperation(
        testDescription: "upload part",
        prepare: { store in Context(upload: try await store.createUpload(key: key, metadata: metadata(session: 2))) },
        perform: { store, context in
            _ = try await store.upload(parts[0], number: 1, key: key, upload: context.upload)
        },
        before: nil, after: nil)

    private static let uploadPartAgain = StoreOperation(
        testDescription: "upload part again",
        prepare: { store in
            let (upload, parts) = try await store.begin([old], key: key, session: 2)
            return Context(upload: upload, parts: parts)
        },
        perform: { store, context in
            _ = try await store.upload(parts[0], number: 1, key: key, upload: context.upload)
        },
        before: nil, after: nil)

    private static let completeNew = StoreOperation(
        testDescription: "complete", prepare: beginParts, perform: complete, before: nil, after: new)

    private static let completeOver = StoreOperation(
        testDescription: "complete over another",
        prepare: { store in
            try await store.put(old, key: key)
            return try await beginParts(store)
        },
        perform: complete, before: old, after: new)

    private static let completeIfAbsent = StoreOperation(
        testDescription: "complete if absent", prepare: beginParts,
        perform: { store, context in
            try await store.complete(context.upload, context.parts, key: key, condition: .ifAbsent)
        },
        before: nil, after: new)

    private static let abort = StoreOperation(
        testDescription: "abort", prepare: beginParts,
        perform: { store, context in try await store.abortUpload(key: key, upload: context.upload) },
        before: nil, after: nil)

    private static let beginParts: @Sendable (FileStore) async throws -> Context = { store in
        let (upload, parts) = try await store.begin(parts, key: key, session: 2)
        return Context(upload: upload, parts: parts)
    }

    private static let complete: @Sendable (FileStore, Context) async throws -> Void = { store, context in
        try await store.complete(context.upload, context.parts, key: key)
    }
}

extension Sample {
    /// A part of `StoreOperation.new`.
    fileprivate init(part offset: Int) {
        self.init(bytes: Array(StoreOperation.new.bytes[offset..<min(offset + 1000, 2500)]))
    }
}
