import ObjectStore
import ObjectStoreConformance
import Testing
import TransferCommon
import WireProtocol

/// A call that changes a store, with the contents of the key before and after it. Tests interrupt the call at every
/// step.
struct StoreOperation: Sendable, CustomTestStringConvertible {
    static let plainKey = "some/folder/object"
    /// Each slash forms one `Character` with the character after it: two combining marks and a joiner.
    static let markedKey = "some/\u{301}folder/\u{FE0F}inner/\u{200D}object"
    static let old = Sample(1500, seed: 1)
    static let new = Sample(2500, seed: 2)
    /// The new content in parts of 1,000 bytes.
    static let parts = [0, 1000, 2000].map { Sample(part: $0) }

    /// Values that the preparation makes and the call needs.
    struct Context: Sendable {
        var upload = ""
        var parts: [CompletedPart] = []
    }

    let testDescription: String
    let key: String
    let prepare: @Sendable (FileStore) async throws -> Context
    let perform: @Sendable (FileStore, Context) async throws -> Void
    /// The contents that the key may have before and after the call.
    let before: Sample?
    let after: Sample?

    /// All operations. Those that make an object also run with `markedKey`, whose slashes are found only among its
    /// bytes.
    static let all =
        publishing + [
            create(plainKey), uploadPart(plainKey), uploadPartAgain(plainKey), abort(plainKey),
        ]

    static let publishing =
        [
            putNew(plainKey), putOver(plainKey), putIfAbsent(plainKey), completeNew(plainKey), completeOver(plainKey),
            completeIfAbsent(plainKey),
        ] + [putNew(markedKey), putIfAbsent(markedKey), completeNew(markedKey)]

    private static func putNew(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("put", key), key: key, prepare: { _ in Context() },
            perform: { store, _ in try await store.put(new, key: key, session: 2) }, before: nil, after: new)
    }

    private static func putOver(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("put over another", key), key: key,
            prepare: { store in
                try await store.put(old, key: key)
                return Context()
            },
            perform: { store, _ in try await store.put(new, key: key, session: 2) }, before: old, after: new)
    }

    private static func putIfAbsent(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("put if absent", key), key: key, prepare: { _ in Context() },
            perform: { store, _ in try await store.put(new, key: key, session: 2, condition: .ifAbsent) },
            before: nil, after: new)
    }

    private static func create(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("create upload", key), key: key, prepare: { _ in Context() },
            perform: { store, _ in _ = try await store.createUpload(key: key, metadata: metadata(session: 2)) },
            before: nil, after: nil)
    }

    private static func uploadPart(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("upload part", key), key: key,
            prepare: { store in
                Context(upload: try await store.createUpload(key: key, metadata: metadata(session: 2)))
            },
            perform: { store, context in
                _ = try await store.upload(parts[0], number: 1, key: key, upload: context.upload)
            },
            before: nil, after: nil)
    }

    private static func uploadPartAgain(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("upload part again", key), key: key,
            prepare: { store in
                let (upload, parts) = try await store.begin([old], key: key, session: 2)
                return Context(upload: upload, parts: parts)
            },
            perform: { store, context in
                _ = try await store.upload(parts[0], number: 1, key: key, upload: context.upload)
            },
            before: nil, after: nil)
    }

    private static func completeNew(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("complete", key), key: key, prepare: { try await beginParts($0, key) },
            perform: { try await complete($0, $1, key) }, before: nil, after: new)
    }

    private static func completeOver(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("complete over another", key), key: key,
            prepare: { store in
                try await store.put(old, key: key)
                return try await beginParts(store, key)
            },
            perform: { try await complete($0, $1, key) }, before: old, after: new)
    }

    private static func completeIfAbsent(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("complete if absent", key), key: key, prepare: { try await beginParts($0, key) },
            perform: { store, context in
                try await store.complete(context.upload, context.parts, key: key, condition: .ifAbsent)
            },
            before: nil, after: new)
    }

    private static func abort(_ key: String) -> StoreOperation {
        StoreOperation(
            testDescription: name("abort", key), key: key, prepare: { try await beginParts($0, key) },
            perform: { store, context in try await store.abortUpload(key: key, upload: context.upload) },
            before: nil, after: nil)
    }

    private static func name(_ operation: String, _ key: String) -> String {
        operation + (key == plainKey ? "" : ", slashes with signs")
    }

    private static func beginParts(_ store: FileStore, _ key: String) async throws -> Context {
        let (upload, parts) = try await store.begin(parts, key: key, session: 2)
        return Context(upload: upload, parts: parts)
    }

    private static func complete(_ store: FileStore, _ context: Context, _ key: String) async throws {
        try await store.complete(context.upload, context.parts, key: key)
    }
}

extension Sample {
    /// A part of `StoreOperation.new`.
    fileprivate init(part offset: Int) {
        self.init(bytes: Array(StoreOperation.new.bytes[offset..<min(offset + 1000, 2500)]))
    }
}
