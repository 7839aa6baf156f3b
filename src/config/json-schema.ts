/**
 * The settings file as JSON Schema (draft 2020-12), for editors. What it accepts in shape the loader accepts too; the
 * ranges of values with units are only in the descriptions, since a pattern cannot hold them.
 */
import { groupEntries, type SettingEntry, settingEntries } from './catalog.ts';

export type JsonSchema = { readonly [key: string]: unknown };

export function settingsJsonSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Settings of hostspool',
    ...groupSchema(''),
  };
}

function groupSchema(group: string): JsonSchema {
  const prefix = group === '' ? '' : `${group}.`;
  const properties: Record<string, JsonSchema> = {};
  for (const setting of settingEntries) {
    if (setting.group === group) properties[setting.name.slice(prefix.length)] = settingSchema(setting);
  }
  for (const { name, description } of groupEntries) {
    const key = name.slice(prefix.length);
    if (name === '' || !name.startsWith(prefix) || key === '' || key.includes('.')) continue;
    properties[key] = { description, ...groupSchema(name) };
  }
  // A group whose settings are all commented out is null.
  return { type: ['object', 'null'], properties, additionalProperties: false };
}

function settingSchema(setting: SettingEntry): JsonSchema {
  const allowed = setting.kind === 'boolean' ? '' : ` Allowed: ${setting.allowed}.`;
  const derived = setting.derived === undefined ? '' : ` Default: ${setting.derived}.`;
  return {
    description: `${setting.description}${allowed}${derived}`,
    ...(setting.default === undefined ? {} : { default: setting.default }),
    ...valueSchema(setting),
  };
}

function valueSchema({ kind, pattern, choices, range }: SettingEntry): JsonSchema {
  switch (kind) {
    case 'boolean':
      return { type: 'boolean' };
    case 'integer':
      return { type: 'integer', minimum: range?.min, maximum: range?.max };
    case 'choice':
      // YAML reads a bare true or false as a boolean, which the loader takes as the word.
      return {
        enum: choices?.flatMap((name) => (name === 'true' || name === 'false' ? [name === 'true', name] : [name])),
      };
    case 'duration':
    case 'size':
    case 'size or percentage':
      return range?.min === 0 ? { anyOf: [{ type: 'string', pattern }, { const: 0 }] } : { type: 'string', pattern };
    case 'list':
      return { anyOf: [{ type: 'array', items: { type: 'string', pattern } }, { type: 'string' }] };
    case 'secret':
      return {
        anyOf: [
          { type: ['string', 'number'], minLength: 1 },
          {
            type: 'object',
            properties: { file: { type: 'string', minLength: 1, description: 'The file that holds it.' } },
            required: ['file'],
            additionalProperties: false,
          },
        ],
      };
    case 'path':
      return { type: 'string', pattern };
    case 'text':
      return { type: ['string', 'number'], pattern };
  }
}
