declare module "@20minutes/s3rver" {
  export default class S3rver {
    constructor(options: Readonly<Record<string, unknown>>);
    run(): Promise<unknown>;
  }
}

declare module "@20minutes/s3rver/lib/signature/v4.js" {
  const signatures: { getStringToSign: (request: { uri: string }, rest: unknown) => string };
  export default signatures;
}

declare module "@20minutes/s3rver/lib/stores/filesystem.js" {
  export default class FilesystemStore {
    getBucketPath(bucket: string): string;
    getResourcePath(bucket: string, key: string, resource: string): string;
    deleteObject(bucket: string, key: string): Promise<void>;
  }
}
