export declare function brokenLinks(directory: string): readonly string[];
